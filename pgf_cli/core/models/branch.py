"""A residual branch: a norm, then a mixer, which reads features tile by tile and hands a state on.

A model is branches that are added up, r <- r + mixer(norm(r)), one after another (``stack``) or in both directions
(``two_direction``).
"""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pgf_cli.core.models.derived import derived_jvp, derived_vjp
from pgf_cli.core.models.norms import Norm
from pgf_cli.core.models.protocol import State


class MixerAdjoint(NamedTuple):
    """The gradients with respect to what went into a tile."""

    x: Tensor
    state: State
    parameters: dict[str, Tensor]
    """By the mixer's own names; empty unless asked for."""


class Mixer(nn.Module, ABC):
    """Maps features (T, D) to features (T, D) and hands a state to the next tile.

    A new mixer implements ``initial_state`` and ``forward`` in differentiable torch and is exact from the first day:
    the other verbs come from ``torch.func``. One that knows its analytic form overrides them.
    """

    @abstractmethod
    def initial_state(self) -> State:
        """Return the state before the first base: constants."""

    @abstractmethod
    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Map x (T, D) and the state before the tile to the output (T, D) and the state after."""

    def jvp(self, stack: Tensor, state: State, state_dot: State) -> tuple[Tensor, State, State]:
        """The same for a stack (1 + K, T, D); K tangents of the state go in and come out."""
        dual = derived_jvp(self.forward, stack[0], stack[1:], state, state_dot)
        return torch.cat([dual.y[None], dual.y_dot]), dual.state, dual.state_dot

    def trace(self, x: Tensor, state: State) -> tuple[Tensor, State, Any]:
        """The same as ``forward`` by the fast path, keeping what ``vjp`` needs."""
        out, after = self.forward(x, state)
        return out, after, (x, state)

    def vjp(self, trace: Any, out_bar: Tensor, after_bar: State, *, parameters: bool) -> MixerAdjoint:
        """Return the gradients, given those of the output (T, D) and of the state after the tile."""
        x, before = trace
        adjoint = derived_vjp(self, x, before, out_bar, after_bar, parameters=parameters)
        return MixerAdjoint(adjoint.x_bar, adjoint.state_bar, adjoint.parameter_bars or {})


class BranchTrace(NamedTuple):
    """What the way back over a tile needs of the way there."""

    x: Tensor
    """Input of the norm, (T, D)."""
    mixer: Any


class Branch(NamedTuple):
    """A norm and a mixer, with the names that their parameters go by in the model."""

    norm_name: str
    norm: Norm
    mixer_name: str
    mixer: Mixer

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Map x (T, D) to what is added to it, (T, D), and the state after; differentiable."""
        return self.mixer(self.norm(x), state)  # type: ignore[no-any-return]

    def jvp(self, stack: Tensor, state: State, state_dot: State) -> tuple[Tensor, State, State]:
        """The same for a stack (1 + K, T, D), by the fast path."""
        return self.mixer.jvp(self.norm.jvp(stack), state, state_dot)

    def trace(self, x: Tensor, state: State) -> tuple[Tensor, State, BranchTrace]:
        """The same as ``forward`` by the fast path, keeping what ``vjp`` needs."""
        out, after, trace = self.mixer.trace(self.norm.fast(x), state)
        return out, after, BranchTrace(x, trace)

    def vjp(self, trace: BranchTrace, out_bar: Tensor, after_bar: State, *, parameters: bool) -> MixerAdjoint:
        """Return the gradients, given those of what is added and of the state after the tile."""
        mixer = self.mixer.vjp(trace.mixer, out_bar, after_bar, parameters=parameters)
        norm = self.norm.vjp(trace.x, mixer.x)
        bars: dict[str, Tensor] = {}
        if parameters:
            bars |= {f"{self.norm_name}.{name}": bar for name, bar in norm.parameters.items()}
            bars |= {f"{self.mixer_name}.{name}": bar for name, bar in mixer.parameters.items()}
        return MixerAdjoint(norm.x, mixer.state, bars)
