"""Two-layer perceptrons over the channels of each base: mixers without a state, with their analytic derivatives."""

from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn import functional

from pgf_cli.core.models.branch import Mixer, MixerAdjoint
from pgf_cli.core.models.protocol import State
from pgf_cli.core.ops.activations import silu_jvp, silu_vjp
from pgf_cli.core.ops.linear import Linear, linear, linear_jvp, weight_vjp

NOTHING: State = ()
"""What is handed from base to base."""


class PerBase(Mixer):
    """A mixer that looks at one base at a time."""

    @abstractmethod
    def of_each(self, x: Tensor) -> Tensor:
        """Map x (T, D) to the output (T, D), differentiably."""

    @abstractmethod
    def of_each_jvp(self, stack: Tensor) -> Tensor:
        """The same for a stack (1 + K, T, D)."""

    @abstractmethod
    def of_each_vjp(self, x: Tensor, out_bar: Tensor, *, parameters: bool) -> MixerAdjoint:
        """Return the gradients, given that of the output (T, D)."""

    def initial_state(self) -> State:
        """Return nothing."""
        return NOTHING

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Map x (T, D) to the output (T, D)."""
        return self.of_each(x), NOTHING

    def jvp(self, stack: Tensor, state: State, state_dot: State) -> tuple[Tensor, State, State]:
        """The same for a stack (1 + K, T, D)."""
        return self.of_each_jvp(stack), NOTHING, NOTHING

    def trace(self, x: Tensor, state: State) -> tuple[Tensor, State, Tensor]:
        """The same as ``forward`` by the fast path, keeping what ``vjp`` needs."""
        return self.of_each_jvp(x[None])[0], NOTHING, x

    def vjp(self, trace: Tensor, out_bar: Tensor, after_bar: State, *, parameters: bool) -> MixerAdjoint:
        """Return the gradients, given that of the output (T, D)."""
        return self.of_each_vjp(trace, out_bar, parameters=parameters)


class GeluMLP(PerBase):
    """fc2(gelu(fc1 x)), with gelu in its approximation by tanh."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.fc1 = Linear(channels, inner)
        self.fc2 = Linear(inner, channels)

    def of_each(self, x: Tensor) -> Tensor:
        """Map x (T, D) to the output (T, D), differentiably."""
        return self.fc2(functional.gelu(self.fc1(x), approximate="tanh"))  # type: ignore[no-any-return]

    def of_each_jvp(self, stack: Tensor) -> Tensor:
        """The same for a stack (1 + K, T, D)."""
        inner = linear_jvp(stack, self.fc1.weight, self.fc1.bias)
        gated = torch.cat([functional.gelu(inner[:1], approximate="tanh"), _gelu_slope(inner[0]) * inner[1:]])
        return linear_jvp(gated, self.fc2.weight, self.fc2.bias)

    def of_each_vjp(self, x: Tensor, out_bar: Tensor, *, parameters: bool) -> MixerAdjoint:
        """Return the gradients, given that of the output (T, D)."""
        inner = linear(x, self.fc1.weight, self.fc1.bias)
        inner_bar = linear(out_bar, self.fc2.weight.T) * _gelu_slope(inner)
        bars: dict[str, Tensor] = {}
        if parameters:
            bars = {
                "fc1.weight": weight_vjp(x, inner_bar),
                "fc1.bias": inner_bar.sum(0),
                "fc2.weight": weight_vjp(functional.gelu(inner, approximate="tanh"), out_bar),
                "fc2.bias": out_bar.sum(0),
            }
        return MixerAdjoint(linear(inner_bar, self.fc1.weight.T), NOTHING, bars)


def _gelu_slope(inner: Tensor) -> Tensor:
    slope: Tensor = torch.ops.aten.gelu_backward(torch.ones_like(inner), inner, approximate="tanh")
    return slope


class SwiGLU(PerBase):
    """w_down(silu(w_gate x) * w_up x), without biases."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.w_gate = Linear(channels, inner, bias=False)
        self.w_up = Linear(channels, inner, bias=False)
        self.w_down = Linear(inner, channels, bias=False)

    def of_each(self, x: Tensor) -> Tensor:
        """Map x (T, D) to the output (T, D), differentiably."""
        return self.w_down(functional.silu(self.w_gate(x)) * self.w_up(x))  # type: ignore[no-any-return]

    def of_each_jvp(self, stack: Tensor) -> Tensor:
        """The same for a stack (1 + K, T, D)."""
        gate, up = linear(stack, self.w_gate.weight), linear(stack, self.w_up.weight)
        opened, opened_dot = silu_jvp(gate[0], gate[1:])
        product = torch.cat([opened * up[:1], opened_dot * up[0] + opened * up[1:]])
        return linear(product, self.w_down.weight)

    def of_each_vjp(self, x: Tensor, out_bar: Tensor, *, parameters: bool) -> MixerAdjoint:
        """Return the gradients, given that of the output (T, D)."""
        gate, up = linear(x, self.w_gate.weight), linear(x, self.w_up.weight)
        open_gate, product_bar = functional.silu(gate), linear(out_bar, self.w_down.weight.T)
        gate_bar, up_bar = silu_vjp(gate, product_bar * up), product_bar * open_gate
        bars: dict[str, Tensor] = {}
        if parameters:
            bars = {
                "w_gate.weight": weight_vjp(x, gate_bar),
                "w_up.weight": weight_vjp(x, up_bar),
                "w_down.weight": weight_vjp(open_gate * up, out_bar),
            }
        x_bar = linear(gate_bar, self.w_gate.weight.T).add_(linear(up_bar, self.w_up.weight.T))
        return MixerAdjoint(x_bar, NOTHING, bars)
