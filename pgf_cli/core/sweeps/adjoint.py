"""The adjoint sweep: x_bar = J^T w for an objective's weights w, exact over any length, in memory that does not grow.

The state is swept from left to right, keeping snapshots; then tile after tile, from right to left, is computed again
from the state before it and differentiated. Between tiles only the adjoint of the state passes.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from pgf_cli.core.bases import N_CODE, BaseCodes, BaseSequence
from pgf_cli.core.models.protocol import InitialAdjoint, SequenceModel, State, StreamingModel, TileAdjoint, map_state
from pgf_cli.core.models.two_direction import TwoDirectionModel
from pgf_cli.core.objectives import Objective, Targets
from pgf_cli.core.one_hot import one_hot_rows
from pgf_cli.core.sweeps.adjoint_tile import AdjointEdge, AdjointTile
from pgf_cli.core.sweeps.device import HostLink
from pgf_cli.core.sweeps.features import DEFAULT_SPACE, FeatureSpace
from pgf_cli.core.sweeps.graphs import replayed_jvp, replayed_vjp
from pgf_cli.core.sweeps.snapshots import Schedule, SnapshotSpace, make_schedule, open_store, walk_back
from pgf_cli.core.sweeps.two_direction_adjoint import TwoDirectionAdjointSweep
from pgf_cli.core.threads import flush_denormals

SNAPSHOT_BUDGET = 256 * 10**6
"""Bytes of snapshots kept at most, unless told otherwise."""


def adjoint_sweep(
    model: SequenceModel,
    sequence: BaseSequence,
    objective: Objective,
    *,
    start: int = 0,
    end: int,
    tile: int,
    budget: int = SNAPSHOT_BUDGET,
    folder: Path | None = None,
    parameters: bool = False,
    begin: AdjointEdge | None = None,
    space: FeatureSpace = DEFAULT_SPACE,
    masked: Targets | None = None,
    advance: Callable[[int], None] = lambda bases: None,
) -> "AdjointSweep | TwoDirectionAdjointSweep":
    """Return a sweep that yields the gradient of an objective, tile by tile from RIGHT TO LEFT.

    The gradient is that of the whole sequence ``sequence[start:end]`` and is never cut at a tile's edge. To the model,
    ``start`` is the first base. Tiles right of the last target are not differentiated.

    Args:
        model: a streaming model, or one that reads in both directions.
        sequence: base codes of the record.
        objective: its weights are asked for in positions of the record.
        start: 0-based position of the first base read.
        end: one past the last base read.
        tile: bases per tile, counted from ``start``; the last one may be shorter.
        budget: bytes of snapshots kept at most.
        folder: where to keep the snapshots in a nameless file; None keeps them in memory.
        parameters: whether to sum the gradients of the model's parameters, too.
        begin: go on from this edge of the same sweep, leftwards; None begins at ``end``. Sums are of what is left.
        space: where features between layers are kept. Two-direction models alone.
        masked: positions whose base is read as [MASK]. Two-direction models alone.
        advance: told how many bases were read forwards, tile by tile, beside those of the tiles that are yielded; by a
            two-direction model, a share of all layers' work: ``end - start`` in all.

    Raises:
        SnapshotBudgetError: the budget holds fewer than two states.
        SnapshotFileError: while iterating; the folder cannot be written to.

    Source: phi = sum w y, so dphi/dx = J^T w; the recurrence's adjoint h_bar_(t-1) = a_t h_bar_t + (that of y_(t-1)).
    """
    if isinstance(model, TwoDirectionModel):
        if parameters:
            raise ValueError("the parameters' gradients are there for streaming models alone")
        return TwoDirectionAdjointSweep(
            model, sequence, objective, start=start, end=end, tile=tile, snapshots=SnapshotSpace(budget, folder),
            space=space, masked=masked, advance=advance,
        )  # fmt: skip
    assert isinstance(model, StreamingModel)
    return AdjointSweep(model, sequence, objective, start, end, tile, budget, folder, parameters, begin, advance)


class AdjointSweep:
    """An iterable of ``AdjointTile``; its sums are complete when the last tile was taken."""

    value: float
    """phi, summed in float64."""
    state_bar: State
    """The gradient with respect to the initial state."""
    parameter_bars: dict[str, Tensor] | None
    """The gradients of the parameters, in their shapes and number format, summed over tiles in float64."""
    schedule: Schedule
    """How the sweep is walked back; known from the start."""

    def __init__(
        self,
        model: StreamingModel,
        sequence: BaseSequence,
        objective: Objective,
        start: int,
        end: int,
        tile: int,
        budget: int,
        folder: Path | None,
        parameters: bool,
        begin: AdjointEdge | None,
        advance: Callable[[int], None],
    ) -> None:
        self._begin, self._told = begin, advance
        self._model, self._sequence, self._objective = model, sequence, objective
        self._start, self._end, self._tile, self._folder, self._parameters = start, end, tile, folder, parameters
        self._link = HostLink(model.device)
        self._jvp, self._vjp = replayed_jvp(model), replayed_vjp(model, parameters=parameters)
        with self._link.computing():
            self._first = self._read(start, min(end, start + model.lookahead))[1]
            self._initial = model.initial_jvp(self._first, self._first.new_zeros(0, *self._first.shape))[0]
        right = end if begin is None else begin.position
        self.schedule = make_schedule(-(-(right - start) // tile), self._initial, budget)

    def __iter__(self) -> Iterator[AdjointTile]:
        """Sweep; the sums begin at zero."""
        self.value = 0.0
        given = self._begin.state_bar if self._begin else None
        self._begun = given is not None
        self.state_bar = map_state(
            torch.zeros_like if given is None else lambda part: part.to(self._model.device),
            self._initial if given is None else given,
        )
        self._totals = {
            name: torch.zeros_like(weight, dtype=torch.float64)
            for name, weight in self._model.named_parameters()
            if self._parameters
        }
        # The leftmost tiles wait for what the initial state adds to the inputs that it looked ahead to.
        waiting = []
        for tile in self._link.finished(self._launched()):
            if tile.start < self._start + self._model.lookahead:
                waiting.append(tile)
            else:
                yield tile
        first_bar = self._finish()
        for tile in waiting:
            here = first_bar[tile.start - self._start :][: len(tile.bases)]
            tile.x_bar[: len(here)] += here
            yield tile

    def _launched(self) -> Iterator[Callable[[], AdjointTile]]:
        """Launch tile after tile, from the last to the first; yield what waits for each."""
        with open_store(self._folder, self._initial, self.schedule) as store:
            for index, state in walk_back(self.schedule, self._initial, self._advance, store):
                yield self._pull_back(index, state)

    def _bounds(self, index: int) -> tuple[int, int]:
        first = self._start + index * self._tile
        return first, min(self._end, first + self._tile)

    def _read(self, first: int, last: int) -> tuple[BaseCodes, Tensor]:
        """Bases and x (T, 5)."""
        codes = self._sequence[first:last]
        return codes, one_hot_rows(self._link.to_device(torch.from_numpy(codes)), self._model.dtype)

    def _primal(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """A tile's output and the state after it, by the model's fast path."""
        none_dot = map_state(lambda part: part.new_zeros(0, *part.shape), state)
        dual = self._jvp(x, x.new_zeros(0, *x.shape), state, none_dot)
        return dual.y, dual.state

    def _advance(self, index: int, state: State) -> State:
        # Entered anew for each tile, so that it does not leak into the consumer's code; see ``tangent.py``.
        first, last = self._bounds(index)
        with self._link.computing():
            after = self._primal(self._read(first, last)[1], state)[1]
        self._told(last - first)
        return after

    def _pull_back(self, index: int, state: State) -> Callable[[], AdjointTile]:
        """Differentiate one tile; return what waits for it and adds to the objective's value."""
        first, last = self._bounds(index)
        with self._link.computing():
            codes, x = self._read(first, last)
            following = int(self._sequence[last : last + 1][0]) if last < self._end else None
            w = self._objective.weights(first, codes, following).cpu()
            self._begun = self._begun or bool(w.any())
            if not self._begun:
                arrive = self._link.to_host(self._primal(x, state)[0], torch.zeros_like(x))
                edge = self._edge(first)

                def still() -> AdjointTile:
                    y, x_bar = arrive()
                    return AdjointTile(first, codes, y, x_bar, 0.0, edge)

                return still
            pulled = self._vjp(x, state, self._link.to_device(w), self.state_bar)
            self.state_bar = pulled.state_bar
            self._add(pulled)
            arrive = self._link.to_host(pulled.y, _of_bases_alone(pulled.x_bar, x))
        before = self._edge(first)

        def finish() -> AdjointTile:
            y, x_bar = arrive()
            with flush_denormals():
                value = (w.double() * y.double()).sum().item()
            self.value += value
            return AdjointTile(first, codes, y, x_bar, value, before)

        return finish

    def _edge(self, first: int) -> AdjointEdge | None:
        """The left edge of the tile that was launched last."""
        if first < self._start + self._model.lookahead:
            return None
        return AdjointEdge(first, self.state_bar if self._begun else None)

    def _finish(self) -> Tensor:
        """Round the sums; return the gradient with respect to the inputs that the initial state looked ahead to."""
        with self._link.computing():
            initial = self._model.initial_vjp(self._first, self.state_bar, parameters=self._parameters)
            self._add(initial)
            rounded = {name: total.to(self._model.dtype) for name, total in self._totals.items()}
            first_bar = _of_bases_alone(initial.x_bar, self._first).cpu()
        self.parameter_bars = rounded if self._parameters else None
        return first_bar

    def _add(self, adjoint: TileAdjoint | InitialAdjoint) -> None:
        for name, bar in (adjoint.parameter_bars or {}).items():
            self._totals[name] += bar


def _of_bases_alone(x_bar: Tensor, x: Tensor) -> Tensor:
    """The gradient with neither the N column nor the rows of N, where every direction is zero."""
    bars = x_bar * (1 - x[:, N_CODE:])
    bars[:, N_CODE] = 0
    return bars
