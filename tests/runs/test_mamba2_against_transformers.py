"""Mamba-2 through the Python API against transformers' autograd, reverse and forward, in float64; 1 and 2 groups."""

import copy
import json

import numpy as np
import pytest
import torch
from exact_transformers import no_casts_to_float32

import pgf_cli

LETTERS = "ACGTN"
TOKENS = {"[UNK]": 0, "T": 1, "A": 2, "N": 3, "G": 4, "C": 5}


def relative(found, exact):
    return np.linalg.norm(found - exact) / np.linalg.norm(exact)


@pytest.fixture(scope="module", params=[1, 2], ids=["one group", "two groups"])
def peer(request):
    from transformers import Mamba2Config, Mamba2ForCausalLM

    torch.manual_seed(request.param)
    sizes = {"hidden_size": 12, "state_size": 5, "num_heads": 6, "head_dim": 4, "num_hidden_layers": 2}
    config = Mamba2Config(vocab_size=8, n_groups=request.param, chunk_size=16, **sizes)
    model = Mamba2ForCausalLM(config).eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        # Fresh models are nearly linear with tiny outputs; larger weights make every term of the derivative count.
        if "proj" in name or "embeddings" in name or "conv1d" in name:
            parameter.mul_(4.0)
    return model


@pytest.fixture(scope="module")
def folder(peer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mamba2")
    peer.save_pretrained(folder)
    tokenizer = {"model": {"type": "WordLevel", "vocab": TOKENS, "unk_token": "[UNK]"}, "added_tokens": []}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return folder


def letters(length):
    """Bases with a run of N that is longer than a tile of 16."""
    chosen = np.random.default_rng(length).choice(list("ACGT"), length)
    chosen[40:58] = "N"
    return "".join(chosen)


def exact(peer, bases):
    """Of transformers in float64: the gradient of the log-likelihood (L, 4) and the response to the contrast (L,)."""
    model = copy.deepcopy(peer).double()
    rows = model.backbone.embeddings.weight[[TOKENS[letter] for letter in LETTERS]]
    codes = np.array([LETTERS.index(letter) for letter in bases])
    x = torch.eye(5, dtype=torch.float64)[codes]

    def log_probabilities(x):
        logits = model(inputs_embeds=(x @ rows)[None], use_cache=False).logits[0]
        return torch.log_softmax(logits, -1)[:, [TOKENS[letter] for letter in "ACGT"]]

    known = torch.tensor(codes != 4)
    contrast = torch.cat([torch.where(known[:, None], x[:, :4] - 0.25, 0.0), torch.zeros(len(x), 1)], 1)
    with no_casts_to_float32():
        _, y_dot = torch.func.jvp(log_probabilities, (x,), (contrast,))
        if len(x) == 1:
            return torch.zeros(1, 4).numpy(), y_dot.norm(dim=1).numpy(), known.numpy()
        moving = x.clone().requires_grad_()
        log_p = log_probabilities(moving)
        phi = sum(log_p[at - 1, codes[at]] for at in range(1, len(x)) if known[at])
        (x_bar,) = torch.autograd.grad(phi, moving)
    return (x_bar[:, :4] * known[:, None]).numpy(), y_dot.norm(dim=1).numpy(), known.numpy()


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-9), ("float32", 1e-5)])
@pytest.mark.parametrize("tile", [1, 16, None])
def test_contribution_and_response_in_tiles(peer, folder, tile, dtype, bound):
    bases = letters(90)
    gradient, response, known = exact(peer, bases)
    model = pgf_cli.load_model(folder, dtype=dtype)
    s = pgf_cli.sensitivity(model, bases, ghost_distance=0, gradient_correction=False, tile=tile)
    assert relative(s.gradient, gradient) <= bound
    assert relative(s.response[known], response[known]) <= bound
    assert np.isnan(s.contribution[~known]).all()


@pytest.mark.parametrize("length", [1, 2, 3])
def test_contribution_and_response_of_the_shortest_sequences(peer, folder, length):
    bases = letters(90)[:length]
    gradient, response, _ = exact(peer, bases)
    model = pgf_cli.load_model(folder, dtype="float64")
    s = pgf_cli.sensitivity(model, bases, ghost_distance=0, gradient_correction=False)
    assert relative(s.response, response) <= 1e-9
    if length > 1:
        assert relative(s.gradient, gradient) <= 1e-9


def test_the_two_signed_totals_of_a_run_are_equal(folder):
    """The adjoint identity along the contrast, for the log-likelihood: the sums of two sweeps."""
    model = pgf_cli.load_model(folder, dtype="float64")
    s = pgf_cli.sensitivity(model, letters(90), ghost_distance=20)
    assert s.certificate.passed, s.certificate
