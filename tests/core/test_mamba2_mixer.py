"""Verbs of Mamba-2's mixer against torch.func on its own definition, in float64: every gradient, every option."""

import pytest
import torch

from pgf_cli.core.models.branch import Mixer
from pgf_cli.core.models.mamba2_block import Mamba2Config, Mamba2LayerState, Mamba2Mixer

OPTIONS = {
    "plain": {},
    "three groups": {"groups": 3},
    "no norm": {"gated_norm": False},
    "skip per channel": {"skip_per_channel": True},
    "limits": {"delta_min": 0.5, "delta_max": 0.9},
    "biases": {"projection_bias": True, "conv_bias": False, "d_conv": 2},
    "one of each": {"heads": 1, "head_dim": 1, "d_state": 1, "d_conv": 1},
}


def random_mixer(**sizes):
    defaults = {"d_model": 5, "n_layer": 1, "heads": 6, "head_dim": 3, "d_state": 4, "vocab_size": 8}
    mixer = Mamba2Mixer(Mamba2Config(**(defaults | sizes))).double().requires_grad_(False)
    generator = torch.Generator().manual_seed(3)
    for parameter in mixer.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.7)
    return mixer


def tile_of(mixer, length, directions):
    """An input with tangents, a state with tangents, and adjoints of the output and of the state."""
    generator = torch.Generator().manual_seed(length)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    def state(*leading):
        return Mamba2LayerState(*(normal(*leading, *part.shape) for part in mixer.initial_state()))

    stack = normal(1 + directions, length, mixer.config.d_model)
    return stack, state(), state(directions), normal(length, mixer.config.d_model), state()


@pytest.mark.parametrize("length", [1, 2, 3, 135])
@pytest.mark.parametrize("options", OPTIONS)
def test_tangents_and_adjoints_of_a_tile(options, length):
    mixer = random_mixer(**OPTIONS[options])
    stack, state, state_dot, out_bar, after_bar = tile_of(mixer, length, 2)
    torch.testing.assert_close(
        mixer.jvp(stack, state, state_dot), Mixer.jvp(mixer, stack, state, state_dot), rtol=1e-10, atol=1e-11
    )
    out, after, trace = mixer.trace(stack[0], state)
    torch.testing.assert_close((out, after), mixer(stack[0], state), rtol=1e-10, atol=1e-11)
    exact = Mixer.vjp(mixer, (stack[0], state), out_bar, after_bar, parameters=True)
    found = mixer.vjp(trace, out_bar, after_bar, parameters=True)
    torch.testing.assert_close((found.x, found.state), (exact.x, exact.state), rtol=1e-10, atol=1e-11)
    for name, bar in exact.parameters.items():
        torch.testing.assert_close(found.parameters[name], bar, rtol=1e-10, atol=1e-10, msg=lambda m, n=name: n + m)
    alone = mixer.vjp(trace, out_bar, after_bar, parameters=False)
    assert torch.equal(alone.x, found.x)
    assert alone.parameters == {}


def test_a_step_size_at_its_limit_passes_no_derivative_on():
    mixer = random_mixer(delta_min=50.0)
    stack, state, _, out_bar, after_bar = tile_of(mixer, 9, 0)
    bars = mixer.vjp(mixer.trace(stack[0], state)[2], out_bar, after_bar, parameters=True).parameters
    assert torch.count_nonzero(bars["dt_bias"]) == 0


@pytest.mark.parametrize("a_log", [-8.0, 0.0, 6.0])
def test_float32_follows_float64(a_log):
    mixer = random_mixer(groups=2)
    mixer.A_log.fill_(a_log)
    stack, state, state_dot, out_bar, after_bar = tile_of(mixer, 200, 1)
    exact_out = Mixer.jvp(mixer, stack, state, state_dot)[0]
    exact = Mixer.vjp(mixer, (stack[0], state), out_bar, after_bar, parameters=False).x
    single = mixer.float()

    def short(parts):
        return Mamba2LayerState(*(part.float() for part in parts))

    out, _, _ = single.jvp(stack.float(), short(state), short(state_dot))
    x_bar = single.vjp(
        single.trace(stack[0].float(), short(state))[2], out_bar.float(), short(after_bar), parameters=False
    ).x
    for found, expected in ((out, exact_out), (x_bar, exact)):
        assert (found.double() - expected).norm() <= 1e-5 * expected.norm()
