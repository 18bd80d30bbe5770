"""Gradients: x_bar = J^T w along a record, right to left, in pieces of some 16,000 bases."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.models import SequenceModel
from pgf_cli.core.objectives import Objective, Targets
from pgf_cli.core.sweeps import (
    DEFAULT_SPACE,
    AdjointEdge,
    AdjointSweep,
    AdjointTile,
    FeatureSpace,
    Schedule,
    TwoDirectionAdjointSweep,
    adjoint_sweep,
)
from pgf_cli.core.sweeps.adjoint import SNAPSHOT_BUDGET
from pgf_cli.sweeps.finite import check_finite
from pgf_cli.sweeps.record import SweptRecord

JOINED_BASES = 16_384
"""What is done with a gradient costs more for each call than for the bases of one tile."""


class Gradient(NamedTuple):
    """The gradient with respect to consecutive bases."""

    start: int
    """0-based position of the first base."""
    bases: BaseCodes
    """Base codes, (T,)."""
    y: Tensor
    """The model's output, (T, C)."""
    x_bar: Tensor
    """(T, 5): A, C, G, T, and 0 for the indicator of N."""
    value: float
    """These bases' share of the objective."""
    before: AdjointEdge | None
    """What passes the left edge; None where the initial state has still to add to x_bar."""


class GradientSweep:
    """An iterable of ``Gradient`` from right to left."""

    def __init__(
        self, sweep: AdjointSweep | TwoDirectionAdjointSweep, record: SweptRecord, edges: Collection[int]
    ) -> None:
        self._sweep, self._record, self._edges = sweep, record, edges

    @property
    def schedule(self) -> Schedule:
        """How the sweep is walked back."""
        return self._sweep.schedule

    def __iter__(self) -> Iterator[Gradient]:
        """Sweep."""
        waiting: list[AdjointTile] = []
        count = 0
        for tile in self._sweep:
            states = () if tile.before is None or tile.before.state_bar is None else (tile.before.state_bar,)
            check_finite("contribution", tile.x_bar, tile.bases, tile.start, self._record, states, last=True)
            waiting.append(tile)
            count += len(tile.bases)
            if count >= JOINED_BASES or tile.start in self._edges:
                yield _joined(waiting[::-1])
                waiting, count = [], 0
        if waiting:
            yield _joined(waiting[::-1])


def gradients(
    model: SequenceModel,
    record: SweptRecord,
    objective: Objective,
    *,
    start: int,
    end: int,
    tile: int,
    budget: int = SNAPSHOT_BUDGET,
    folder: Path | None = None,
    begin: AdjointEdge | None = None,
    edges: Collection[int] = (),
    space: FeatureSpace = DEFAULT_SPACE,
    masked: Targets | None = None,
    advance: Callable[[int], None] = lambda bases: None,
) -> GradientSweep:
    """Return the gradients of an objective, from right to left; see ``core.sweeps.adjoint_sweep``.

    Args:
        model: any model.
        record: the bases on the strand that is read; positions are along it.
        objective: gives w.
        start, end: what is read, 0-based half-open.
        tile: bases per tile.
        budget: bytes of snapshots kept at most.
        folder: where snapshots go; None: memory.
        begin: go on from this edge, leftwards.
        edges: positions, among those where tiles begin, at which a piece shall begin, too.
        space: where a two-direction model's features are kept.
        masked: positions that a two-direction model reads as [MASK].
        advance: told how many bases were read forwards.

    Raises:
        NonFiniteError: while iterating; a gradient is not a number.
    """
    sweep = adjoint_sweep(
        model, record, objective, start=start, end=end, tile=tile, budget=budget, folder=folder, begin=begin,
        space=space, masked=masked, advance=advance,
    )  # fmt: skip
    return GradientSweep(sweep, record, edges)


def _joined(parts: Sequence[AdjointTile]) -> Gradient:
    bases = np.concatenate([part.bases for part in parts])
    y, x_bar = torch.cat([part.y for part in parts]), torch.cat([part.x_bar for part in parts])
    # From the right, as the tiles came; other edges of pieces round the sum over them otherwise in the last digit.
    value = sum(part.value for part in reversed(parts))
    return Gradient(parts[0].start, bases, y, x_bar, value, parts[0].before)
