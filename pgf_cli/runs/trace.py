"""From a ghost hit back to its sources: an adjoint sweep from the hit to the record's first base."""

import heapq
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pgf_cli.core.bases import LETTERS, BaseCodes
from pgf_cli.genome import RecordPasses
from pgf_cli.hits import Hit
from pgf_cli.runs.context import RecordContext
from pgf_cli.sweeps import gradients, responses
from pgf_cli.sweeps.totals import parts_along
from pgf_cli.tracks.trace_table import TraceRow

SOURCES = 10


class OutputAt:
    """The objective u . y at one position: along the ghost's own direction u its derivative is the ghost."""

    def __init__(self, position: int, u: Tensor) -> None:
        self._position, self._u = position, u

    def weights(self, start: int, codes: BaseCodes, following: int | None) -> Tensor:
        """Return w (T, C): u at the position, 0 elsewhere."""
        w = self._u.new_zeros(len(codes), len(self._u))
        if start <= self._position < start + len(codes):
            w[self._position - start] = self._u
        return w


def trace_ghosts(
    context: RecordContext, passes: RecordPasses, hits: Sequence[Hit], upstream: Mapping[str, int]
) -> list[TraceRow]:
    """Return the strongest sources of each ghost hit of one record, strongest first.

    The record is read once more up to the last hit, and for each hit forwards and back.

    Args:
        context: the record, swept along the contrast.
        passes: its passes.
        hits: ghost hits, in oriented positions.
        upstream: by the hit's name, how far upstream the newest base counted lies.
    """
    ghosts = _ghost_rows(context, passes, {hit.start for hit in hits})
    rows = []
    for hit in hits:
        one = passes.passes[passes.index_at(hit.start)]
        rows += _sources(context, one.start, hit, ghosts[hit.start], hit.start - upstream[hit.name])
    return rows


def _ghost_rows(context: RecordContext, passes: RecordPasses, positions: set[int]) -> dict[int, Tensor]:
    """The ghost's tangent (C,) at some positions."""
    plan, found = context.plan, {}
    by_pass: dict[int, list[int]] = {}
    for at in positions:
        by_pass.setdefault(passes.index_at(at), []).append(at)
    for index, here in by_pass.items():
        tiles = responses(
            plan.model,
            context.bases,
            context.direction.direction,
            start=passes.passes[index].start,
            end=max(here) + 1,
            tile=plan.tile,
            ghost_distance=plan.settings.ghost_distance,
        )
        for tile in tiles:
            for at in here:
                if tile.ghost_dot is not None and tile.start <= at < tile.start + len(tile.bases):
                    found[at] = tile.ghost_dot[0, at - tile.start]
    return found


def _sources(context: RecordContext, start: int, hit: Hit, ghost: Tensor, newest: int) -> list[TraceRow]:
    """The strongest sources of one hit among the bases from ``start`` up to ``newest``."""
    plan, record = context.plan, context.record
    size = torch.linalg.vector_norm(ghost.double())
    objective = OutputAt(hit.start, (ghost.double() / size).to(ghost.dtype))
    pieces = gradients(
        plan.model,
        context.bases,
        objective,
        start=start,
        end=hit.end,
        tile=plan.tile,
        budget=plan.snapshot_bytes,
        folder=plan.snapshot_folder,
    )
    best: list[tuple[float, int, float, int]] = []
    for piece in pieces:
        parts = parts_along(context.direction.direction, piece.start, piece.bases, piece.x_bar).numpy()
        for offset in abs(parts).argsort()[::-1]:
            position = piece.start + int(offset)
            entry = (abs(float(parts[offset])), -position, float(parts[offset]), int(piece.bases[offset]))
            if len(best) == SOURCES and entry <= best[0]:
                break
            if position <= newest:
                (heapq.heappush if len(best) < SOURCES else heapq.heappushpop)(best, entry)
    return [
        TraceRow(
            chrom=record.name,
            start=record.forward(-minus),
            end=record.forward(-minus) + 1,
            base=LETTERS[code],
            hit=hit.name,
            hit_start=record.forward(hit.start),
            distance=hit.start + minus,
            value=part,
            share=part / float(size),
        )
        for _, minus, part, code in sorted(best, reverse=True)
    ]
