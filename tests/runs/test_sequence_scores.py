"""Classification and regression heads as objectives, against float64 autograd of the pooled score."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import pgf_cli
from pgf_cli.core.models import BaseIds, MambaConfig, MambaLM
from pgf_cli.core.models.caduceus import CaduceusConfig, CaduceusLM
from pgf_cli.core.one_hot import one_hot
from pgf_cli.errors import PgfError, UsageError

IDS = BaseIds(0, 1, 2, 3, 4)
SIZES = {"d_model": 6, "n_layer": 2, "d_inner": 8, "d_state": 3, "d_conv": 4, "dt_rank": 2, "vocab_size": 8}
SEQUENCE = "ACGTTGCANNACGTGACGTAGC"
CODES = np.array(["ACGTN".index(letter) for letter in SEQUENCE], dtype=np.uint8)


def random_weights(model):
    generator = torch.Generator().manual_seed(2)
    for weight in model.parameters():
        weight.requires_grad_(False).copy_(torch.randn(weight.shape, generator=generator) * 0.4)
    return model


def saved(path, model, config):
    from pgf_cli.checkpoints import save_checkpoint

    save_checkpoint(path, config, model.state_dict(), IDS)
    return path


def caduceus(path, *, both_strands, pools_last, labels=3):
    config = CaduceusConfig(
        **SIZES, head=False, both_strands=both_strands, swapped=both_strands, labels=labels, pools_last=pools_last
    )
    model = random_weights(CaduceusLM(config, IDS, "hidden"))
    if both_strands:
        model.complement.copy_(torch.tensor([3, 2, 1, 0, 4, 5, 6, 7]))
    return saved(path, model, config), model.double()


def mamba(path, *, pools_last=True, labels=3):
    config = MambaConfig(**SIZES, head=False, labels=labels, pools_last=pools_last)
    model = random_weights(MambaLM(config, IDS, "hidden"))
    return saved(path, model, config), model.double()


def scores(model, x):
    """Every score of a sequence, as the models' own repositories write it: strands apart, pooled, averaged."""
    hidden, weight = model.whole(x), model.score.weight
    strands = [hidden]
    if hidden.shape[1] == 2 * weight.shape[1]:
        first, second = hidden.chunk(2, dim=1)
        strands = [first, second.flip(0, 1)]
    pooled = [strand[-1] if model.pools_last else strand.mean(0) for strand in strands]
    return torch.stack([weight @ one for one in pooled]).mean(0)


def expected_gradient(model, row):
    x = one_hot(CODES, torch.float64, torch.device("cpu")).requires_grad_()
    score = scores(model, x)[row]
    (x_bar,) = torch.autograd.grad(score, x)
    bases = x_bar[:, :4] * (1 - x.detach()[:, 4:])
    return score.item(), (bases - bases.mean(1, keepdim=True)).numpy()


KINDS = {
    "PH mean": lambda path: caduceus(path, both_strands=False, pools_last=False),
    "PH last": lambda path: caduceus(path, both_strands=False, pools_last=True),
    "PS mean": lambda path: caduceus(path, both_strands=True, pools_last=False),
    "PS last": lambda path: caduceus(path, both_strands=True, pools_last=True),
    "Mamba last": mamba,
    "Mamba mean": lambda path: mamba(path, pools_last=False),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", [0, 2])
def test_the_gradient_of_a_score_is_that_of_autograd(kind, row, tmp_path):
    path, model = KINDS[kind](tmp_path / "model.safetensors")
    loaded = pgf_cli.load_model(path, dtype="float64")
    s = pgf_cli.sensitivity(loaded, SEQUENCE, mode="adjoint", objective=f"class:{row}", tile=5)
    value, gradient = expected_gradient(model, row)
    assert s.objective == pytest.approx(value, rel=1e-10)
    np.testing.assert_allclose(s.gradient, gradient, rtol=1e-9, atol=1e-12)


def test_of_several_scores_one_is_named_and_of_one_it_is_the_default(tmp_path):
    path, _ = mamba(tmp_path / "three.safetensors")
    with pytest.raises(UsageError, match="head gives 3 scores; name one, class:0 to class:2"):
        pgf_cli.sensitivity(path, SEQUENCE)
    with pytest.raises(UsageError, match="gives 3 scores, 0 to 2"):
        pgf_cli.sensitivity(path, SEQUENCE, objective="class:3")
    path, model = mamba(tmp_path / "one.safetensors", labels=1)
    s = pgf_cli.sensitivity(pgf_cli.load_model(path, dtype="float64"), SEQUENCE, mode="adjoint")
    assert s.objective == pytest.approx(expected_gradient(model, 0)[0], rel=1e-10)


def test_a_score_of_a_model_without_such_a_head_is_refused(tmp_path):
    config = MambaConfig(**SIZES)
    path = saved(tmp_path / "lm.safetensors", random_weights(MambaLM(config, IDS, "logprobs")), config)
    with pytest.raises(UsageError, match="no classification or regression head"):
        pgf_cli.sensitivity(path, SEQUENCE, objective="class:0")


def test_a_run_reads_the_whole_record_for_the_score_of_a_region(tmp_path):
    path, _ = mamba(tmp_path / "model.safetensors")
    (tmp_path / "x.fa").write_text(f">chr1\n{SEQUENCE}\n")
    run = pgf_cli.run(
        pgf_cli.RunSettings(
            fasta=tmp_path / "x.fa", model=path, output=f"{tmp_path}/out/", mode="adjoint", objective="class:1",
            regions=("chr1:3-7",), dtype="float64", probe_depth=0,
        )
    )  # fmt: skip
    whole = pgf_cli.sensitivity(
        pgf_cli.load_model(path, dtype="float64"), SEQUENCE, mode="adjoint", objective="class:1"
    )
    track = run.tracks["contribution"]
    np.testing.assert_allclose(track["value"].to_numpy(), whole.contribution[2:7], rtol=1e-12)
    assert (
        "score class:1, one for all that is read" in json.loads(run.manifest_path.read_text())["tracks"][0]["quantity"]
    )
    with pytest.raises(PgfError, match="one score of all that is read"):
        pgf_cli.RunSettings(fasta=tmp_path / "x.fa", model=path, objective="class:1", targets=("chr1:3-7",))


def test_a_hugging_face_classifier_scores_its_last_base(tmp_path):
    from transformers import MambaConfig as HubConfig
    from transformers import MambaModel

    torch.manual_seed(3)
    hub = MambaModel(HubConfig(vocab_size=8, hidden_size=6, state_size=3, num_hidden_layers=2, time_step_rank=2)).eval()
    folder = tmp_path / "classifier"
    folder.mkdir()
    settings = hub.config.to_dict() | {"architectures": ["MambaForSequenceClassification"]}
    (folder / "config.json").write_text(json.dumps(settings))
    score = torch.randn(2, 6)
    save_file(
        {f"backbone.{name}": t for name, t in hub.state_dict().items()} | {"score.weight": score},
        folder / "model.safetensors",
    )
    model = pgf_cli.load_model(folder, alphabet="A=0,C=1,G=2,T=3,N=4", dtype="float64")
    s = pgf_cli.sensitivity(model, SEQUENCE, mode="adjoint", objective="class:1")
    with torch.no_grad():
        hidden = hub(torch.from_numpy(CODES.astype(np.int64))[None]).last_hidden_state[0]
    # transformers computes in float32.
    assert s.objective == pytest.approx(float(hidden[-1] @ score[1]), rel=1e-4)
