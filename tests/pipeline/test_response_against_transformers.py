"""The main job against an independent model: forward-mode differentiation of transformers' Mamba in float64."""

import contextlib
import json

import numpy as np
import pytest
import torch
from torch.func import jvp
from typer.testing import CliRunner

from pgf_cli.cli.app import app
from pgf_cli.cli.demo import sample_data

LETTERS = "ACGTN"
TOKENS = {"[UNK]": 0, "T": 1, "A": 2, "N": 3, "G": 4, "C": 5}
N_RUN = slice(100, 145)


@contextlib.contextmanager
def no_casts_to_float32():
    """transformers computes its norms and scan in float32 whatever the model's dtype; here float32 means float64."""
    to, as_float = torch.Tensor.to, torch.Tensor.float

    def exact_to(tensor, *arguments, **options):
        swap = {torch.float32: torch.float64}
        arguments = [swap.get(a, a) if isinstance(a, torch.dtype) else a for a in arguments]
        return to(tensor, *arguments, **options)

    torch.Tensor.to, torch.Tensor.float = exact_to, torch.Tensor.double
    try:
        yield
    finally:
        torch.Tensor.to, torch.Tensor.float = to, as_float


@pytest.fixture(scope="module")
def oracle_model():
    from transformers import MambaConfig, MambaForCausalLM

    torch.manual_seed(5)
    config = MambaConfig(vocab_size=8, hidden_size=24, state_size=8, num_hidden_layers=3, time_step_rank=3)
    model = MambaForCausalLM(config).eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        # Fresh models are nearly linear with tiny outputs; larger weights make every term of the derivative count.
        if "proj" in name or "embeddings" in name or "conv1d" in name:
            parameter.mul_(6.0 if "embeddings" in name else 1.5)
    return model


@pytest.fixture(scope="module")
def bases():
    """Real bases of the human mitochondrion around its own N, and a run of N longer than the tile."""
    text = "".join((sample_data() / "human_MT.fa").read_text().splitlines()[1:])
    chosen = list(text[3107 - 230 : 3107 + 50])
    chosen[N_RUN] = "N" * (N_RUN.stop - N_RUN.start)
    return "".join(chosen)


@pytest.fixture(scope="module")
def expected(oracle_model, bases):
    """Response in float64: the derivative of the log-probabilities along x - 1/4, with N's row constant."""
    import copy

    ids = [TOKENS[letter] for letter in LETTERS]
    codes = np.array([LETTERS.index(letter) for letter in bases])
    x = torch.eye(5, dtype=torch.float64)[codes]
    v = torch.where(x[:, 4:] > 0, 0.0, x - 0.25) * torch.tensor([1.0, 1, 1, 1, 0], dtype=torch.float64)
    model = copy.deepcopy(oracle_model).double()

    def log_probabilities(x):
        embedded = (x @ model.backbone.embeddings.weight[ids])[None]
        logits = model(inputs_embeds=embedded, use_cache=False).logits[0]
        return torch.log_softmax(logits, -1)[:, ids[:4]]

    with no_casts_to_float32(), torch.no_grad():
        _, y_dot = jvp(log_probabilities, (x,), (v,))
    return y_dot.norm(dim=1).numpy()[codes != 4]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, oracle_model, bases):
    folder = tmp_path_factory.mktemp("oracle")
    oracle_model.save_pretrained(folder / "model")
    tokenizer = {"model": {"type": "WordLevel", "vocab": TOKENS, "unk_token": "[UNK]"}, "added_tokens": []}
    (folder / "model" / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "mt.fa").write_text(f">MT\n{bases[:70].lower()}{bases[70:]}\n")
    return folder


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-9), ("float32", 1e-5)])
@pytest.mark.parametrize("tile", ["1", "7", "32", "1000"])
def test_the_response_track_equals_forward_mode_of_transformers(dtype, bound, tile, folder, bases, expected, tmp_path):
    result = CliRunner().invoke(
        app,
        [
            *("run", str(folder / "mt.fa"), "--model", str(folder / "model"), "-o", str(tmp_path / "mt")),
            *("--dtype", dtype, "--tile", tile, "-q"),
        ],
    )
    assert result.exit_code == 0, result.output
    lines = [line.split("\t") for line in (tmp_path / "mt.response.bedgraph").read_text().splitlines()]
    assert [int(line[1]) for line in lines] == [at for at, letter in enumerate(bases) if letter != "N"]
    found = np.array([float(line[3]) for line in lines])
    assert np.linalg.norm(found - expected) <= bound * np.linalg.norm(expected)
