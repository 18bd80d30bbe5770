"""The tangent sweep: y_dot = J v in one left-to-right pass, in memory that does not depend on the length."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from pgf_cli.core.bases import BaseCodes, BaseSequence
from pgf_cli.core.directions import Direction
from pgf_cli.core.models.protocol import SequenceModel, State, StreamingModel, map_state
from pgf_cli.core.models.two_direction import TwoDirectionModel
from pgf_cli.core.objectives import Targets
from pgf_cli.core.one_hot import one_hot_rows
from pgf_cli.core.sweeps.device import HostLink
from pgf_cli.core.sweeps.features import DEFAULT_SPACE, FeatureSpace
from pgf_cli.core.sweeps.graphs import replayed_jvp
from pgf_cli.core.sweeps.snapshots import leaves
from pgf_cli.core.sweeps.tangent_tile import TangentEdge, TangentTile
from pgf_cli.core.sweeps.two_direction_tangent import two_direction_tangent_sweep

# Tangents by the age of what seeded them: before the previous block, in the previous block, in this one.
OLD, PREVIOUS, CURRENT = range(3)


def tangent_sweep(
    model: SequenceModel,
    sequence: BaseSequence,
    direction: Direction,
    *,
    start: int = 0,
    end: int,
    tile: int,
    ghost_distance: int | None = None,
    begin: TangentEdge | None = None,
    space: FeatureSpace = DEFAULT_SPACE,
    masked: Targets | None = None,
    advance: Callable[[int], None] = lambda bases: None,
) -> Iterator[TangentTile]:
    """Yield the output and its exact derivative along K directions, tile by tile.

    State and tangent state are handed from tile to tile, so the derivative is that of the whole sequence
    ``sequence[start:end]`` and is never cut at a tile's edge. To the model, ``start`` is the first base. Before
    the direction begins, only the primal is swept.

    With a ghost distance W the sweep is cut into blocks of W bases, and each direction is carried as three tangents: of
    what was seeded before the previous block, in it, and in this block. A new block begins by adding the second to the
    first. By linearity their sum is the tangent, and the first is the exact response to what lies at least W bases
    upstream, without the cancellation of a difference. For a model that reads in both directions see
    ``two_direction_tangent``: all layers are swept before the first tile is yielded.

    Args:
        model: a streaming model, or one that reads in both directions.
        sequence: base codes of the record.
        direction: the K directions.
        start: 0-based position of the first base read.
        end: one past the last base read.
        tile: bases per tile; the last one, and the last of a block, may be shorter.
        ghost_distance: W, at least the model's lookahead; None carries no ghosts.
        begin: go on from this edge of the same sweep; None begins at ``start``. Streaming models alone.
        space: where features between layers are kept. Two-direction models alone, as are the rest.
        masked: positions whose base is read as [MASK].
        advance: told how many bases were read, as a share of all layers: ``end - start`` in all.

    Source: Phase Gradient Flow by tiled operator-space evolution, arXiv 2512.23068.
    """
    if isinstance(model, TwoDirectionModel):
        yield from two_direction_tangent_sweep(
            model, sequence, direction, start=start, end=end, tile=tile, ghost_distance=ghost_distance, space=space,
            masked=masked, advance=advance,
        )  # fmt: skip
        return
    assert isinstance(model, StreamingModel)
    sweep = _Sweep(model, sequence, direction, ages=1 if ghost_distance is None else 3)
    if begin is None:
        # What this sets is global to the thread: entered anew for each step, it does not leak into the caller's code.
        with sweep.link.computing():
            sweep.begin(start, min(end, start + model.lookahead))
    else:
        sweep.go_on(begin)
    first = start if begin is None else begin.position
    yield from sweep.link.finished(_launched(sweep, start, first, end, tile, ghost_distance))


def tangent_edge(position: int, start: int, tile: int, ghost_distance: int | None) -> int:
    """Return the first edge between tiles of a sweep from ``start`` at or after a position."""
    offset = position - start
    block = 0 if ghost_distance is None else offset - offset % ghost_distance
    edge = block + -(-(offset - block) // tile) * tile
    return start + (edge if ghost_distance is None else min(edge, block + ghost_distance))


def _launched(
    sweep: "_Sweep",
    start: int,
    first: int,
    end: int,
    tile: int,
    ghost_distance: int | None,
) -> Iterator[Callable[[], TangentTile]]:
    """Launch tile after tile from ``first`` on; yield what waits for each."""
    while first < end:
        last = min(end, first + tile)
        if ghost_distance is not None:
            done = (first - start) % ghost_distance
            last = min(last, first + ghost_distance - done)
            if done == 0 and first > start:
                with sweep.link.computing():
                    sweep.begin_block()
        with sweep.link.computing():
            arrival = sweep.advance(first, last)
        yield arrival
        first = last


class _Sweep:
    """The state of a sweep: the model's, and its tangents (ages x K of them, none before the direction begins)."""

    def __init__(self, model: StreamingModel, sequence: BaseSequence, direction: Direction, ages: int) -> None:
        self.model, self.sequence, self.direction, self.ages = model, sequence, direction, ages
        self.link, self.jvp = HostLink(model.device), replayed_jvp(model)
        self.state: State = None
        self.state_dot: State = None
        self.moving = False

    def begin(self, start: int, last: int) -> None:
        """Take the initial state from the inputs that it looks ahead to."""
        self.moving = self.direction.begins < last
        _, x, v = self._read(start, last)
        self.state, self.state_dot = self.model.initial_jvp(x, v)

    def go_on(self, edge: TangentEdge) -> None:
        """Take the state that another sweep left at this edge."""
        self.state, self.state_dot = (
            map_state(lambda part: part.to(self.model.device), state) for state in (edge.state, edge.state_dot)
        )
        self.moving = all(len(part) > 0 for part in leaves(self.state_dot))

    def begin_block(self) -> None:
        """Let what the previous block seeded grow old."""
        if not self.moving:
            return

        def shift(dot: Tensor) -> Tensor:
            by_age = dot.view(self.ages, -1, *dot.shape[1:])
            aged = torch.stack([by_age[OLD] + by_age[PREVIOUS], by_age[CURRENT], torch.zeros_like(by_age[CURRENT])])
            return aged.view(dot.shape)

        self.state_dot = map_state(shift, self.state_dot)

    def advance(self, first: int, last: int) -> Callable[[], TangentTile]:
        """Launch one tile; return what waits for it."""
        if not self.moving and self.direction.begins < last:
            self.moving = True
            count = self.ages * self.direction.count
            self.state_dot = map_state(lambda part: part.new_zeros(count, *part.shape), self.state)
        codes, x, v = self._read(first, last)
        y, y_dot, self.state, self.state_dot = self.jvp(x, v, self.state, self.state_dot)
        if not self.moving:
            y_dot = y.new_zeros(self.ages * self.direction.count, *y.shape)
        by_age = y_dot.view(self.ages, self.direction.count, *y.shape)
        dots = (by_age[0],) if self.ages == 1 else (by_age.sum(0), by_age[OLD])
        arrive = self.link.to_host(y, *dots)
        after = TangentEdge(last, self.state, self.state_dot)

        def finish() -> TangentTile:
            y, y_dot, *ghost = arrive()
            return TangentTile(first, codes, y, y_dot, ghost[0] if ghost else None, after)

        return finish

    def _read(self, first: int, last: int) -> tuple[BaseCodes, Tensor, Tensor]:
        """Bases, x (T, 5) and its tangents: all ages are zero but the current one."""
        codes = self.sequence[first:last]
        x = one_hot_rows(self.link.to_device(torch.from_numpy(codes)), self.model.dtype)
        if not self.moving:
            return codes, x, x.new_zeros(0, *x.shape)
        v = self.direction.tangents(first, x)
        return codes, x, torch.cat([v.new_zeros((self.ages - 1) * len(v), *x.shape), v])


def response(y_dot: Tensor) -> Tensor:
    """Return the response (T,): the 2-norm of y_dot (K, T, C) over the output's channels, root mean square over K.

    Summed in float64, so that squares of small responses do not underflow; returned in y_dot's own format.
    """
    squares = y_dot.to(torch.float64).square().sum(-1).mean(0)
    return squares.sqrt().to(y_dot.dtype)
