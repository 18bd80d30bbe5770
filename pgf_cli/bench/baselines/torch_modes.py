"""Derivatives of the sum of a model's outputs by torch alone: reverse mode with or without checkpoints, forward mode.

Checkpoints are taken by hand: between segments nothing stays but a state. ``torch.utils.checkpoint`` keeps a node of
the graph for every operation, or else, with reentry, refuses ``torch.autograd.grad``.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import jvp

from pgf_cli.bench.baselines.plain_scans import Recurrence, scanning_by, step_by_step
from pgf_cli.core.models import StreamingModel
from pgf_cli.core.models.protocol import State, map_state

PIECE = 128
"""Bases to a call of ``forward``: faster than one call for all, whose arrays leave the cache; the graph is the same."""


@dataclass(frozen=True)
class Reading:
    """How torch is made to read a sequence."""

    recurrence: Recurrence = step_by_step
    piece: int | None = PIECE
    """Bases to a call of ``forward``; None: all in one."""
    segment: int | None = None
    """Bases of which only the state before them is kept, all else being computed again; None: everything is kept."""


class Gradient(NamedTuple):
    """Of the sum of all outputs."""

    x: Tensor
    """With respect to the input, (L, 5)."""
    parameters: tuple[Tensor, ...]
    """In the order of ``model.parameters()``; empty unless these require gradients."""


def gradient_of_sum(model: StreamingModel, x: Tensor, reading: Reading) -> Gradient:
    """Differentiate the sum of the outputs over all positions of x (L, 5) and all channels in reverse mode.

    Source: Chen et al. 2016, arXiv 1604.06174, for checkpoints.
    """
    with scanning_by(reading.recurrence):
        return _Reverse(model, reading.piece or len(x)).run(x, reading.segment or len(x))


def derivative_of_sum(model: StreamingModel, x: Tensor, v: Tensor, tile: int | None) -> Tensor:
    """Return <1, J v>, (), by ``torch.func.jvp`` along v (L, 5): of the whole at once, or tile after tile."""
    with scanning_by(step_by_step), torch.no_grad():
        first = slice(model.lookahead)
        state, state_dot = jvp(model.initial_state, (x[first],), (v[first],))  # type: ignore[misc]
        total = x.new_zeros((), dtype=torch.float64)
        for start, end in pairwise([*range(0, len(x), tile or len(x)), len(x)]):
            dots = (v[start:end], state_dot)
            (_, state), (y_dot, state_dot) = jvp(model, (x[start:end], state), dots)  # type: ignore[misc]
            total += y_dot.double().sum()
    return total


class _Reverse:
    """One way back over a sequence, segment by segment."""

    def __init__(self, model: StreamingModel, piece: int) -> None:
        self.model, self.piece = model, piece
        self.weights = [weight for weight in model.parameters() if weight.requires_grad]
        self.totals = [torch.zeros_like(weight) for weight in self.weights]

    def run(self, x: Tensor, segment: int) -> Gradient:
        parts, first = torch.split(x, segment), x[: self.model.lookahead]
        with torch.no_grad():
            edges = [self.model.initial_state(first)]
            for part in parts[:-1]:
                # A view of the last step would keep all the steps.
                edges.append(map_state(torch.clone, self._read(part, edges[-1])[1]))
        x_bar, after_bar = torch.zeros_like(x), [torch.zeros_like(part) for part in leaves(edges[0])]
        for start, part in zip(reversed(range(0, len(x), segment)), reversed(parts), strict=True):
            x_bar[start : start + segment], after_bar = self._pull_back(part, edges.pop(), after_bar)
        x_bar[: len(first)] += self._pull_back_initial(first, after_bar)
        return Gradient(x_bar, tuple(self.totals))

    def _read(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """The sum of outputs over a segment, and the state after it."""
        total = x.new_zeros(())
        for part in torch.split(x, self.piece):
            y, state = self.model(part, state)
            total = total + y.sum()
        return total, state

    def _pull_back(self, x: Tensor, state: State, after_bar: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The adjoints of a segment's input and of the state before it."""
        x = x.detach().requires_grad_()
        state = map_state(lambda part: part.detach().requires_grad_(), state)
        phi, after = self._read(x, state)
        x_bar, *bars = self._differentiate(
            [phi, *leaves(after)], [torch.ones_like(phi), *after_bar], [x, *leaves(state)]
        )
        return x_bar, bars

    def _pull_back_initial(self, first: Tensor, state_bar: list[Tensor]) -> Tensor:
        first = first.detach().requires_grad_()
        moved = [(part, bar) for part, bar in zip(leaves(self.model.initial_state(first)), state_bar, strict=True)]
        moved = [(part, bar) for part, bar in moved if part.requires_grad]
        if not moved:
            return torch.zeros_like(first)
        outputs, bars = zip(*moved, strict=True)
        return self._differentiate([*outputs], [*bars], [first])[0]

    def _differentiate(self, outputs: list[Tensor], bars: list[Tensor], inputs: list[Tensor]) -> list[Tensor]:
        """The adjoints of the inputs; those of the weights are added up."""
        wanted = [*inputs, *self.weights]
        found = torch.autograd.grad(outputs, wanted, bars, materialize_grads=True)
        for total, bar in zip(self.totals, found[len(inputs) :], strict=True):
            total.add_(bar)
        return list(found[: len(inputs)])


def leaves(state: State) -> list[Tensor]:
    """Return a state's tensors."""
    found: list[Tensor] = []

    def take(part: Tensor) -> Tensor:
        found.append(part)
        return part

    map_state(take, state)
    return found
