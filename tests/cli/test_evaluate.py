import json
import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from pgf_cli.checkpoints import read_checkpoint
from pgf_cli.core.one_hot import one_hot
from pgf_cli.genome import encode

TOML = """
[model]
channels = 4
layers = 1
[data]
chroms = ["chr1"]
held-out = ["chr1:101-250"]
sample-length = 50
[optimiser]
steps = 4
learning-rate = 0.01
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "train.toml"
    path.write_text(TOML)
    return path


@pytest.fixture(autouse=True)
def short_contexts(monkeypatch):
    """Tables of 4^13 counts are for real genomes."""
    from pgf_cli.training import markov

    monkeypatch.setattr(markov, "HIGHEST_ORDER", 3)


def bases(path, name):
    text = path.read_text().split(f">{name}")[1].split(">")[0]
    return encode("".join(text.splitlines()[1:]).encode())


def expected_bits(checkpoint, codes):
    """Cross-entropy of the whole sequence at once, by torch."""
    model = read_checkpoint(checkpoint, None).build("logprobs", torch.float32, torch.device("cpu"))
    x = one_hot(codes, torch.float32, torch.device("cpu"))
    labels = torch.from_numpy(codes[1:].astype(np.int64))
    labels[labels == 4] = -100
    return functional.nll_loss(model(x, model.initial_state(x[:0]))[0][:-1], labels).item() / math.log(2)


def test_every_record_is_scored_by_default_as_torch_scores_it(pgf, genome, checkpoint):
    result = pgf("evaluate", genome, "-m", checkpoint, "--json", "-q")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [row["region"] for row in found["regions"]] == ["chr1:1-900", "chr2:1-400"]
    assert [row["predicted"] for row in found["regions"]] == [900 - 1 - 41, 399]
    for row, name in zip(found["regions"], ("chr1", "chr2"), strict=True):
        assert row["bits_per_base"] == pytest.approx(expected_bits(checkpoint, bases(genome, name)), rel=1e-5)
    mean = sum(row["bits_per_base"] * row["predicted"] for row in found["regions"]) / found["predicted"]
    assert found["bits_per_base"] == pytest.approx(mean, rel=1e-12)
    assert found["markov"] == []


def test_with_a_config_its_held_out_region_is_scored_and_markov_models_stand_beside(pgf, genome, checkpoint, config):
    result = pgf("evaluate", genome, "-m", checkpoint, "--config", config, "--json", "-q")
    found = json.loads(result.stdout)
    (row,) = found["regions"]
    assert (row["region"], row["predicted"]) == ("chr1:101-250", 149)
    assert row["bits_per_base"] == pytest.approx(expected_bits(checkpoint, bases(genome, "chr1")[100:250]), rel=1e-5)
    assert [markov["order"] for markov in found["markov"]] == [1, 2, 3]
    # Random letters: little better or worse than a guess.
    assert all(1.9 < markov["bits_per_base"] < 2.1 for markov in found["markov"])
    table = pgf("evaluate", genome, "-m", checkpoint, "--config", config).stdout
    best = min(found["markov"], key=lambda markov: markov["bits_per_base"])
    (line,) = [line for line in table.splitlines() if line.endswith("best")]
    assert line.split() == [str(best["order"]), f"{best['pseudocount']:g}", f"{best['bits_per_base']:.4f}", "best"]
    gap = row["bits_per_base"] - best["bits_per_base"]
    assert f"The checkpoint is {gap:.4f} bits per base worse than the best Markov model." in table


def test_markov_models_learn_from_the_training_fasta_and_not_from_what_is_held_out(
    pgf, genome, checkpoint, config, tmp_path
):
    # Trained on poly-AC but for a held-out stretch of poly-GT: only the first can be predicted.
    train = tmp_path / "train.fa"
    train.write_text(">chr1\n" + "AC" * 50 + "GGTT" * 38 + "AC" * 400 + "\n")
    config.write_text(TOML.replace("101-250", "101-252"))
    scored = tmp_path / "scored.fa"
    scored.write_text(">easy\n" + "AC" * 100 + "\n>hard\n" + "GGTT" * 50 + "\n")
    bits = {}
    for region in ("easy", "hard"):
        command = (
            "evaluate",
            scored,
            "--model",
            checkpoint,
            "--config",
            config,
            "--train-fasta",
            train,
            "--region",
            region,
        )
        bits[region] = json.loads(pgf(*command, "--json", "-q").stdout)["markov"][1]["bits_per_base"]
    # Both strands are counted, so that TG follows the same rule; but nothing like GGTT is anywhere.
    assert bits["easy"] < 0.05
    assert bits["hard"] > 2


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--threads", "0"), 2, "--threads is 0; it must be a whole number from 1 to 1,024"),
        (("--train-fasta", "x.fa"), 2, "give --config, too"),
        (("--region", "chr1:310-320"), 1, "hold nothing to predict"),
        (("--region", "chr3"), 1, "has no record 'chr3'"),
        (("--alphabet", "A=0,C=1,G=2,T=3"), 1, "chr1:1-900 has 41 N or IUPAC codes, and the checkpoint has no token"),
    ],
)
def test_what_is_wrong_is_one_line_and_an_exit_code(pgf, genome, checkpoint, arguments, status, said):
    result = pgf("evaluate", genome, "-m", checkpoint, "-q", *arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (status, "", 1)
    assert said in result.stderr


def test_a_model_without_a_head_and_a_config_that_holds_nothing_out_are_refused(
    pgf, genome, checkpoint, config, tmp_path
):
    config.write_text(TOML.replace("held-out", "exclude"))
    result = pgf("evaluate", genome, "-m", checkpoint, "--config", config)
    assert (result.exit_code, "holds nothing out; name what to predict" in result.stderr) == (2, True)
    headless = {
        "A_log": (3,), "D": (4,), "redshift_scale": (), "dt_proj.weight": (4, 4), "dt_proj.bias": (4,),
        "B_proj.weight": (3, 4), "B_proj.bias": (3,), "C_proj.weight": (3, 4), "C_proj.bias": (3,),
        "init_estimator.weight": (12, 12), "init_estimator.bias": (12,),
    }  # fmt: skip
    torch.save({name: torch.ones(shape) for name, shape in headless.items()}, tmp_path / "operator.pt")
    result = pgf("evaluate", genome, "-m", tmp_path / "operator.pt")
    assert (result.exit_code, "has no language-model head" in result.stderr) == (1, True)
