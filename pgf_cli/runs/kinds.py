"""The kinds of sweep that a run makes over each pass, and what each step of them leaves."""

from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.models import StreamingModel
from pgf_cli.core.sweeps import AdjointEdge, TangentEdge, tangent_edge
from pgf_cli.genome.passes import ReadPass
from pgf_cli.runs.context import RecordContext
from pgf_cli.runs.edges import adjoint_edge_of, adjoint_tensors, tangent_edge_of, tangent_tensors
from pgf_cli.runs.parts import Sums
from pgf_cli.runs.plan import RunPlan
from pgf_cli.sweeps import SignedTotal, gradients, responses
from pgf_cli.sweeps.attribution import ADJOINT_VALUES, gradient_rows
from pgf_cli.tracks.tile import HYPOTHETICAL

Values = dict[str, NDArray[np.floating[Any]]]
Advance = Callable[[int], None]


class Step(NamedTuple):
    """A few consecutive bases of a sweep."""

    start: int
    bases: BaseCodes
    values: Values
    """Track values (T,) by name; nothing where no base is written."""
    sums: Sums
    """What these bases add."""
    position: int | None
    """Where the sweep can go on from here; None where it cannot be broken off."""
    tensors: Callable[[], dict[str, Tensor]]
    """What it needs to go on."""


class Kind(Protocol):
    """A sweep over one pass, cut into steps."""

    name: str
    backwards: bool
    """Whether it goes from right to left."""
    null: bool
    """Whether it reads the shuffled record."""

    def columns(self, context: RecordContext) -> list[str]:
        """Names of the values that it gives."""
        ...

    def edge(self, plan: RunPlan, one: ReadPass, at: int) -> int:
        """Return the first position at or after ``at`` where the sweep of a pass can be cut."""
        ...

    def steps(
        self,
        context: RecordContext,
        one: ReadPass,
        begin: tuple[int, dict[str, Tensor]] | None,
        edges: Collection[int],
        advance: Advance,
    ) -> Iterator[Step]:
        """Sweep a pass, from its beginning or from where another sweep of it was broken off.

        Args:
            context: the record.
            one: the pass.
            begin: position and tensors of a step.
            edges: where steps must end.
            advance: told of bases that are read beside those of the steps.
        """
        ...


class Tangent:
    """Responses and ghosts, left to right."""

    backwards = False

    def __init__(self, *, null: bool) -> None:
        self.null = null
        self.name = "null-tangent" if null else "tangent"

    def columns(self, context: RecordContext) -> list[str]:
        """Names of the tangent's tracks."""
        return [track.name for track in context.tracks if track.is_tangent]

    def edge(self, plan: RunPlan, one: ReadPass, at: int) -> int:
        """Return the next edge between tiles; they end at ghost blocks, too."""
        if plan.both_directions:
            return one.end if at > one.start else one.start
        return tangent_edge(at, one.start, plan.tile, plan.ghost_distance(one.contig))

    def steps(
        self,
        context: RecordContext,
        one: ReadPass,
        begin: tuple[int, dict[str, Tensor]] | None,
        edges: Collection[int],
        advance: Advance,
    ) -> Iterator[Step]:
        """Sweep; each tile is a step."""
        plan, direction = context.plan, context.direction
        tracks = [track for track in context.tracks if track.is_tangent]
        objective = None if self.null else context.objective(one)
        total = SignedTotal(context.bases, objective, direction.direction, one.end) if objective else None
        tiles = responses(
            plan.model,
            context.bases,
            direction.direction,
            start=one.start,
            end=one.end,
            tile=plan.tile,
            ghost_distance=plan.ghost_distance(one.contig),
            begin=None if begin is None else tangent_edge_of(_streaming(plan), *begin),
            space=plan.space,
            masked=context.masked,
            advance=advance,
        )
        for tile in tiles:
            values = {}
            if any(one.written(tile.start, tile.start + len(tile.bases))):
                values = {
                    track.name: direction.values(
                        track, tile, plan.settings.ghosts_from, both_directions=plan.both_directions
                    )
                    for track in tracks
                }
            sums = {"total": total.of_tangent(tile)} if total else {}
            after = tile.after
            at, tensors = (None, dict) if after is None else (after.position, _kept(tangent_tensors, after))
            yield Step(tile.start, tile.bases, values, sums, at, tensors)


class Adjoint:
    """Contributions, right to left."""

    backwards = True

    def __init__(self, *, null: bool) -> None:
        self.null = null
        self.name = "null-adjoint" if null else "adjoint"

    def columns(self, context: RecordContext) -> list[str]:
        """Names of the adjoint's tracks, and of the hypothetical scores where they are asked for."""
        tracks = [track.name for track in context.tracks if not track.is_tangent]
        return tracks + (list(HYPOTHETICAL) if self._hypothetical(context.plan) else [])

    def edge(self, plan: RunPlan, one: ReadPass, at: int) -> int:
        """Return the next edge between tiles."""
        if plan.both_directions:
            return one.end if at > one.start else one.start
        return tangent_edge(at, one.start, plan.tile, None)

    def steps(
        self,
        context: RecordContext,
        one: ReadPass,
        begin: tuple[int, dict[str, Tensor]] | None,
        edges: Collection[int],
        advance: Advance,
    ) -> Iterator[Step]:
        """Sweep; a step is some 16,000 bases."""
        plan, objective = context.plan, context.objective(one)
        if objective is None:
            raise ValueError("a plan with adjoint tracks has an objective")
        tracks = [track for track in context.tracks if not track.is_tangent]
        total = SignedTotal(context.bases, objective, context.direction.direction, one.end)
        correct, scores = plan.settings.gradient_correction, self._hypothetical(plan)
        pieces = gradients(
            plan.model,
            context.bases,
            objective,
            start=one.start,
            end=one.end,
            tile=plan.tile,
            budget=plan.snapshot_bytes,
            folder=plan.snapshot_folder,
            begin=None if begin is None else adjoint_edge_of(_streaming(plan), *begin),
            edges=edges,
            space=plan.space,
            masked=context.masked,
            advance=advance,
        )
        for piece in pieces:
            signed, magnitude = total.of_adjoint(piece)
            values = {}
            if any(one.written(piece.start, piece.start + len(piece.bases))):
                rows = gradient_rows(piece.x_bar, correct=correct)
                values = {track.name: ADJOINT_VALUES[track.kind](rows, piece.bases) for track in tracks}
                values |= {HYPOTHETICAL[column]: rows[:, column] for column in range(4) if scores}
            sums = {"value": piece.value, "total": signed, "magnitude": magnitude}
            before = piece.before
            at, tensors = (None, dict) if before is None else (before.position, _kept(adjoint_tensors, before))
            yield Step(piece.start, piece.bases, values, sums, at, tensors)

    def _hypothetical(self, plan: RunPlan) -> bool:
        return plan.hypothetical and not self.null


def _streaming(plan: RunPlan) -> StreamingModel:
    """The model of a sweep that was broken off: one that hands a state on."""
    if not isinstance(plan.model, StreamingModel):
        raise ValueError("a model that reads in both directions hands no state on")
    return plan.model


def kinds_of(plan: RunPlan) -> tuple[Kind, ...]:
    """Return the kinds of sweep that a run makes, in their order."""
    mode, nulls = plan.settings.mode, (False, True) if plan.settings.null else (False,)
    kinds: list[Kind] = []
    for null in nulls:
        kinds += [Tangent(null=null)] if mode != "adjoint" else []
        kinds += [Adjoint(null=null)] if mode != "tangent" else []
    return tuple(kinds)


def _kept(
    tensors: Callable[[Any], dict[str, Tensor]], edge: TangentEdge | AdjointEdge
) -> Callable[[], dict[str, Tensor]]:
    return lambda: tensors(edge)
