"""The analytic tangent of a Mamba language model against torch.func on its plain definition, in float64."""

import numpy as np
import pytest
import torch

from pgf_cli.core.models.protocol import StreamingModel
from pgf_cli.core.one_hot import one_hot

CPU = torch.device("cpu")


@pytest.mark.parametrize("output", ["logprobs", "logits", "hidden"])
@pytest.mark.parametrize(
    "sizes",
    [{}, {"tied": False}, {"projection_bias": True, "conv_bias": False, "d_conv": 2}, {"n_layer": 1, "d_state": 1}],
)
def test_analytic_tile_derivative_equals_torch_func(output, sizes, make_mamba, dna):
    model = make_mamba(output, **sizes)
    x = one_hot(dna(21, n_run=4), torch.float64, CPU)
    generator = torch.Generator().manual_seed(0)
    x_dot = torch.randn(3, 21, 5, dtype=torch.float64, generator=generator)
    state, state_dot = model.initial_jvp(x[:0], x_dot[:, :0])
    # One tile first, so that the state and its tangent are not zero.
    _, _, state, state_dot = model.jvp(x, x_dot, state, state_dot)
    analytic, generic = (verb(x, x_dot, state, state_dot) for verb in (model.jvp, super_jvp(model)))
    torch.testing.assert_close(analytic, generic, rtol=1e-10, atol=1e-12)


def super_jvp(model):
    return lambda *arguments: StreamingModel.jvp(model, *arguments)


def test_softplus_is_linear_past_its_threshold_and_so_is_the_derivative(make_mamba, dna):
    model = make_mamba()
    model.layers[0].mixer.dt_proj.bias.fill_(25.0)
    x = one_hot(dna(8), torch.float64, CPU)
    x_dot = torch.ones(1, 8, 5, dtype=torch.float64)
    start = model.initial_jvp(x[:0], x_dot[:, :0])
    torch.testing.assert_close(model.jvp(x, x_dot, *start), super_jvp(model)(x, x_dot, *start), rtol=1e-12, atol=1e-13)


def test_logprobs_count_every_head_row_padding_included(toy_mamba, dna):
    x = one_hot(dna(9), torch.float64, CPU)
    log_p, _ = toy_mamba(x, toy_mamba.initial_state(x[:0]))
    toy_mamba.output = "logits"
    logits, _ = toy_mamba(x, toy_mamba.initial_state(x[:0]))
    expected = np.log(np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(1, keepdims=True))
    np.testing.assert_allclose(log_p.numpy(), expected[:, [3, 1, 2, 0]], rtol=1e-12)
