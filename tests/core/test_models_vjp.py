"""Analytic adjoints of a tile against torch.func on the models' plain definitions, in float64: every gradient."""

import pytest
import torch

from pgf_cli.core.models import FrechetConfig, FrechetModel
from pgf_cli.core.models.protocol import StreamingModel, map_state
from pgf_cli.core.one_hot import one_hot

CPU = torch.device("cpu")


def random_frechet(a_log, **sizes):
    generator = torch.Generator().manual_seed(11)
    defaults = {"d_model": 4, "d_state": 3, "embedded": False}
    model = FrechetModel(FrechetConfig(**(defaults | sizes))).to(torch.float64).requires_grad_(False)
    for parameter in model.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.5)
    model.redshift_scale.fill_(1.5)
    if a_log is not None:
        model.A_log.fill_(a_log)
    return model


def assert_tile_adjoint_is_that_of_torch_func(model, codes):
    x = one_hot(codes, torch.float64, CPU)
    first = x[: model.lookahead]
    generator = torch.Generator().manual_seed(0)

    def normal(tensor):
        return torch.randn(tensor.shape, generator=generator, dtype=torch.float64)

    # One tile first, so that the state is not zero.
    _, state = model(x, model.initial_state(first))
    y, after = model(x, state)
    y_bar, after_bar = normal(y), map_state(normal, after)
    for parameters in (True, False):
        analytic = model.vjp(x, state, y_bar, after_bar, parameters=parameters)
        generic = StreamingModel.vjp(model, x, state, y_bar, after_bar, parameters=parameters)
        torch.testing.assert_close(analytic, generic, rtol=1e-10, atol=1e-12)
        assert (analytic.parameter_bars is not None) == parameters
        initial = model.initial_vjp(first, after_bar, parameters=parameters)
        expected = StreamingModel.initial_vjp(model, first, after_bar, parameters=parameters)
        torch.testing.assert_close(initial, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("output", ["logprobs", "logits", "hidden"])
@pytest.mark.parametrize(
    "sizes",
    [{}, {"tied": False}, {"projection_bias": True, "conv_bias": False, "d_conv": 2}, {"n_layer": 1, "d_state": 1}],
)
def test_mamba(output, sizes, make_mamba, dna):
    assert_tile_adjoint_is_that_of_torch_func(make_mamba(output, **sizes), dna(21, n_run=4))


@pytest.mark.parametrize("length", [1, 2])
def test_mamba_on_tiles_shorter_than_its_convolution(length, toy_mamba, dna):
    assert_tile_adjoint_is_that_of_torch_func(toy_mamba, dna(length))


def test_mamba_whose_vocabulary_has_no_n(toy_mamba, dna):
    toy_mamba.base_ids = toy_mamba.base_ids._replace(n=None)
    assert_tile_adjoint_is_that_of_torch_func(toy_mamba, dna(12))


def test_mamba_past_the_threshold_of_softplus(toy_mamba, dna):
    toy_mamba.layers[0].mixer.dt_proj.bias.fill_(25.0)
    assert_tile_adjoint_is_that_of_torch_func(toy_mamba, dna(8))


@pytest.mark.parametrize("a_log", [-8.0, -4.0, None, 6.0])
@pytest.mark.parametrize(
    "sizes", [{}, {"d_model": 7, "embedded": True}, {"window": 5, "projection_bias": False}, {"window": 1}]
)
def test_frechet(a_log, sizes, dna):
    assert_tile_adjoint_is_that_of_torch_func(random_frechet(a_log, **sizes), dna(21, n_run=4))


@pytest.mark.parametrize("length", [1, 2])
def test_frechet_on_a_sequence_shorter_than_the_window_of_its_initial_state(length, dna):
    assert_tile_adjoint_is_that_of_torch_func(random_frechet(None), dna(length))


def test_frechet_whose_scale_is_held_at_its_lowest_value(dna):
    model = random_frechet(None)
    model.redshift_scale.fill_(0.25)
    assert_tile_adjoint_is_that_of_torch_func(model, dna(9))
    x = one_hot(dna(9), torch.float64, CPU)
    state = model.initial_state(x[:3])
    pulled = model.vjp(x, state, torch.ones(9, 4, dtype=torch.float64), state, parameters=True)
    assert pulled.parameter_bars["redshift_scale"] == 0
