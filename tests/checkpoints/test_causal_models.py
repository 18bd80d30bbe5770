"""Models that labs hold, from their files to derivatives: against float64 autograd through formulas written out in
``causal_oracles``, one base after the other, which share nothing with the package."""

from functools import cache

import numpy as np
import pytest
import torch
from causal_files import FILES, MODELS

import pgf_cli
from pgf_cli.checkpoints import CheckpointError, read_checkpoint
from pgf_cli.core.models.protocol import StreamingModel, map_state
from pgf_cli.core.one_hot import one_hot

CPU = torch.device("cpu")
LETTERS = "ACGTN"
TOLERANCE = {"float64": 1e-9, "float32": 1e-5}


@pytest.fixture(params=MODELS)
def name(request):
    return request.param


@pytest.fixture
def written(name, tmp_path):
    return MODELS[name].write(tmp_path, MODELS[name].tensors())


@pytest.fixture(params=FILES)
def published(request):
    return FILES[request.param]


def relative_error(found, expected):
    return torch.linalg.vector_norm(found.double() - expected) / torch.linalg.vector_norm(expected)


class Expected:
    """Output, response and contribution by autograd through the oracle."""

    def __init__(self, published, codes):
        tensors = {name: tensor.double() for name, tensor in published.tensors().items()}
        x = one_hot(codes, torch.float64, CPU)
        scored = x[:, 4:] == 0
        v = torch.where(scored, x - 0.25, 0.0)
        v[:, 4] = 0

        def output(x):
            return published.oracle(tensors, x)

        self.y, y_dot = torch.func.jvp(output, (x,), (v,))
        self.response = y_dot.norm(dim=-1)
        x = x.clone().requires_grad_()
        y = output(x)
        # Row t predicts base t + 1; there are no labels at N.
        score = (y[:-1] * x[1:, :4].detach()).sum() if published.output == "logprobs" else y.sum()
        (x_bar,) = torch.autograd.grad(score, x)
        g = x_bar[:, :4] - x_bar[:, :4].mean(-1, keepdim=True)
        self.contribution = torch.where(scored[:, 0], (g * x[:, :4].detach()).sum(-1), torch.nan)


@cache
def expected_of(name, codes):
    return Expected(MODELS[name], np.frombuffer(codes, np.uint8).copy())


def check(name, model, codes, tile, tolerance):
    s = pgf_cli.sensitivity(model, codes, ghost_distance=0, tile=tile)
    expected = expected_of(name, codes.tobytes())
    scored = torch.from_numpy(codes != 4)
    assert relative_error(torch.from_numpy(s.response)[scored], expected.response[scored]) <= tolerance
    found = torch.from_numpy(s.contribution)
    assert torch.equal(torch.isnan(found), ~scored)
    if torch.any(expected.contribution[scored] != 0):
        assert relative_error(found[scored], expected.contribution[scored]) <= tolerance
    else:
        assert torch.all(found[scored] == 0)
    if MODELS[name].output == "logprobs":
        assert relative_error(torch.from_numpy(s.logprobs), expected.y) <= tolerance


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_response_and_contribution_equal_autograd_whatever_the_tile(name, written, dtype, dna):
    model = pgf_cli.load_model(written, dtype=dtype, device="cpu")
    assert model.output_layer == MODELS[name].output
    for tile in (1, 16, 64):
        check(name, model, dna(35, n_run=4), tile, TOLERANCE[dtype])


@pytest.mark.parametrize("length", [1, 2, 3])
def test_response_and_contribution_equal_autograd_over_very_short_sequences(name, written, length, dna):
    check(name, pgf_cli.load_model(written, dtype="float64", device="cpu"), dna(length), None, 1e-9)


def normal(tensor):
    return torch.randn(tensor.shape, generator=torch.Generator().manual_seed(tensor.numel()), dtype=torch.float64)


def test_adjoint_identity_holds_along_directions_that_do_not_sum_to_zero(written, dna):
    model = pgf_cli.load_model(written, dtype="float64", device="cpu").streaming
    x = one_hot(dna(23, n_run=3), torch.float64, CPU)
    v, w = normal(x[None]), normal(model(x, model.initial_state(x[:0]))[0])
    v[..., 4] = 0
    state, state_dot = model.initial_jvp(x[:0], v[:, :0])
    dual = model.jvp(x, v, state, state_dot)
    none = map_state(torch.zeros_like, dual.state)
    x_bar = model.vjp(x, state, w, none).x_bar
    gap = (w * dual.y_dot[0]).sum() - (x_bar * v[0]).sum()
    assert abs(gap) <= 1e-12 * torch.linalg.vector_norm(dual.y_dot)


def test_the_models_own_formulas_equal_torch_func_weights_and_states_included(written, dna):
    model = pgf_cli.load_model(written, dtype="float64", device="cpu").streaming
    x = one_hot(dna(19, n_run=3), torch.float64, CPU)
    # One tile first, so that the state is not zero.
    y, state = model(x, model.initial_state(x[:0]))
    y_bar, after_bar = normal(y), map_state(normal, state)
    ours = model.vjp(x, state, y_bar, after_bar, parameters=True)
    derived = StreamingModel.vjp(model, x, state, y_bar, after_bar, parameters=True)
    torch.testing.assert_close(ours, derived, rtol=1e-9, atol=1e-11)
    x_dot, state_dot = normal(x.expand(2, -1, -1)), map_state(lambda part: normal(part.expand(2, *part.shape)), state)
    ours, derived = model.jvp(x, x_dot, state, state_dot), StreamingModel.jvp(model, x, x_dot, state, state_dot)
    torch.testing.assert_close(ours, derived, rtol=1e-9, atol=1e-11)


def failure(published, folder, tensors):
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(published.write(folder, tensors))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_tensor_that_is_missing_or_misshapen_is_named(published, tmp_path):
    tensors = published.tensors()
    # Of the second layer one will do: both are made alike.
    for name in (each for each in tensors if ".1." not in each or each.endswith((".mixer.D", ".attn.A_log"))):
        if name == published.tied:
            continue
        short = published.renamed.get(name, name.removeprefix("backbone."))
        lacking = {other: tensor for other, tensor in tensors.items() if other != name}
        assert short in failure(published, tmp_path, lacking)
        wrong = tensors | {name: torch.cat([tensors[name], tensors[name][:1]])}
        message = failure(published, tmp_path, wrong)
        assert short in message or "expected" in message


def test_a_tensor_that_has_no_place_in_the_model_is_named(published, tmp_path):
    tensors = published.tensors()
    inside = next(name for name in tensors if "0." in name).rpartition("0.")[0]
    message = failure(published, tmp_path, tensors | {f"{inside}0.gate.weight": torch.zeros(3)})
    assert "0.gate.weight has no place" in message
