"""One layer of a two-direction model along a whole sequence, forwards and back: tile by tile in each direction."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pgf_cli.core.models.protocol import State, map_state
from pgf_cli.core.models.two_direction import Pass, TwoDirectionModel
from pgf_cli.core.sweeps.device import HostLink
from pgf_cli.core.sweeps.features import Features
from pgf_cli.core.sweeps.snapshots import Schedule, SnapshotSpace, make_schedule, open_store, walk_back

Told = Callable[[int], None]
"""Hears of bases that were read in one direction of a layer."""


class Tiles(NamedTuple):
    """How a sequence is cut, the same in both directions."""

    length: int
    tile: int

    @property
    def number(self) -> int:
        """How many there are."""
        return -(-self.length // self.tile)

    def bounds(self, index: int, *, backwards: bool = False) -> tuple[int, int]:
        """Return first and last + 1 of the tile that is read as number ``index``."""
        first = (self.number - 1 - index if backwards else index) * self.tile
        return first, min(self.length, first + self.tile)

    def __iter__(self) -> Iterator[tuple[int, int]]:  # type: ignore[override]
        return (self.bounds(index) for index in range(self.number))


class Layers:
    """The layers of a model over one sequence.

    Args:
        model: any two-direction model.
        tiles: how the sequence is cut.
        link: to the model's device.
        told: hears of every tile, in each direction.
    """

    def __init__(self, model: TwoDirectionModel, tiles: Tiles, link: HostLink, told: Told) -> None:
        self._model, self._tiles, self._link, self._told = model, tiles, link, told

    def forward(self, layer: int, source: Features, target: Features, directions: int) -> None:
        """Take the features before a layer, with their K tangents, to those after it."""
        begun = False
        for backwards, passes in self._by_direction(layer):
            states = self._initial(passes)
            dots: State = map_state(lambda part: part.new_zeros(directions, *part.shape), states)
            for index in range(self._tiles.number):
                first, last = self._tiles.bounds(index, backwards=backwards)
                with self._link.computing():
                    r = self._model.carry(layer, source.read(first, last))
                    out = target.read(first, last) if begun else r.clone()
                    states, dots = self._added(passes, r, out, states, dots)
                    target.write(first, last, out)
                self._told(last - first)
            begun = True

    def backward(self, layer: int, source: Features, bar: Features, target: Features, snapshots: SnapshotSpace) -> None:
        """Take the adjoint of the features after a layer to that of the features before it.

        Args:
            layer: which one.
            source: the features before it.
            bar: the adjoint of those after it, (S, 1, L, D).
            target: gets that of those before it.
            snapshots: where states at tiles' edges are kept.
        """
        directions = self._by_direction(layer)
        for number, (backwards, passes) in enumerate(directions):
            initial = self._initial(passes)
            schedule = self.schedule(initial, snapshots)
            state_bars = list(map_state(torch.zeros_like, initial))

            def advance(
                index: int, states: State, backwards: bool = backwards, passes: Sequence[Pass] = passes
            ) -> State:
                first, last = self._tiles.bounds(index, backwards=backwards)
                with self._link.computing():
                    r = self._model.carry(layer, source.read(first, last))
                    none: State = map_state(lambda part: part.new_zeros(0, *part.shape), states)
                    return self._added(passes, r, None, states, none)[0]

            with open_store(snapshots.folder, initial, schedule) as store:
                for index, states in walk_back(schedule, initial, advance, store):
                    first, last = self._tiles.bounds(index, backwards=backwards)
                    with self._link.computing():
                        r = self._model.carry(layer, source.read(first, last))
                        out_bar = bar.read(first, last)
                        r_bar = target.read(first, last) if number else out_bar.clone()
                        for at, one in enumerate(passes):
                            _, _, trace = one.branch.trace(_read(r[one.stream, 0], one), states[at])
                            pulled = one.branch.vjp(
                                trace, _read(out_bar[one.stream, 0], one), state_bars[at], parameters=False
                            )
                            state_bars[at] = pulled.state
                            r_bar[one.stream, 0] += _read(pulled.x, one)
                        if number == len(directions) - 1:
                            r_bar = self._model.carry(layer, r_bar)
                        target.write(first, last, r_bar)
                    self._told(last - first)

    def schedule(self, initial: State, snapshots: SnapshotSpace) -> Schedule:
        """Return how a pass with such states is walked back."""
        return make_schedule(self._tiles.number, initial, snapshots.budget)

    def largest_schedule(self, snapshots: SnapshotSpace) -> Schedule:
        """Return how the first layer's passes in one direction are walked back."""
        return self.schedule(self._initial(self._by_direction(0)[0][1]), snapshots)

    def _by_direction(self, layer: int) -> list[tuple[bool, tuple[Pass, ...]]]:
        passes = self._model.passes(layer)
        return [
            (backwards, tuple(one for one in passes if one.backwards == backwards))
            for backwards in sorted({one.backwards for one in passes})
        ]

    def _initial(self, passes: Sequence[Pass]) -> State:
        return tuple(one.branch.mixer.initial_state() for one in passes)

    def _added(
        self, passes: Sequence[Pass], r: Tensor, out: Tensor | None, states: State, dots: State
    ) -> tuple[State, State]:
        """Add to ``out`` what the passes make of a tile; return the states after it."""
        after, after_dots = [], []
        for one, state, state_dot in zip(passes, states, dots, strict=True):
            stack = r[one.stream] if out is not None else r[one.stream, :1]
            added, state_after, dot_after = one.branch.jvp(_read(stack, one), state, state_dot)
            if out is not None:
                out[one.stream] += _read(added, one)
            after.append(state_after)
            after_dots.append(dot_after)
        return tuple(after), tuple(after_dots)


def _read(rows: Tensor, one: Pass) -> Tensor:
    """Rows (..., T, D) in the order of a pass; from that order back to positions, too."""
    return rows.flip(-2) if one.backwards else rows
