"""From a ghost hit back to its sources: an adjoint sweep from the hit to the record's first base."""

import heapq
from collections.abc import Sequence

import torch
from torch import Tensor

from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.sweeps import tangent_sweep
from pgf_cli.genome import decode
from pgf_cli.hits import Hit
from pgf_cli.runs.attribution import sweep_of
from pgf_cli.runs.sweeping import Sweeping
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


def trace_ghosts(sweeping: Sweeping, hits: Sequence[Hit], upstream: dict[str, int]) -> list[TraceRow]:
    """Return the strongest sources of each ghost hit of one record, strongest first.

    The record is read once more up to the last hit, and for each hit forwards and back.

    Args:
        sweeping: the record, swept along the contrast.
        hits: ghost hits, in the coordinates of the strand that is read.
        upstream: by the hit's name, how far upstream the newest base counted lies.
    """
    ghosts = _ghost_rows(sweeping, {hit.start for hit in hits})
    rows = []
    for hit in hits:
        rows += _sources(sweeping, hit, ghosts[hit.start], hit.start - upstream[hit.name])
    return rows


def _ghost_rows(sweeping: Sweeping, positions: set[int]) -> dict[int, Tensor]:
    """The ghost's tangent (C,) at some positions."""
    settings, found = sweeping.plan.settings, {}
    for sweep in sweeping.reading.sweeps:
        here = [at for at in positions if any(span.start <= at < span.end for span in sweep.spans)]
        if not here:
            continue
        tiles = tangent_sweep(
            sweeping.plan.model,
            sweeping.bases,
            sweeping.direction.direction,
            start=sweep.start,
            end=max(here) + 1,
            tile=sweeping.plan.tile,
            ghost_distance=settings.ghost_distance,
        )
        for tile in tiles:
            for at in here:
                if tile.ghost_dot is not None and tile.start <= at < tile.start + len(tile.bases):
                    found[at] = tile.ghost_dot[0, at - tile.start]
    return found


def _sources(sweeping: Sweeping, hit: Hit, ghost: Tensor, newest: int) -> list[TraceRow]:
    """The strongest sources of one hit among the bases up to ``newest``."""
    reading = sweeping.reading
    sweep = reading.sweep_at(hit.start)
    size = torch.linalg.vector_norm(ghost.double())
    objective = OutputAt(hit.start, (ghost.double() / size).to(ghost.dtype))
    back = sweep._replace(spans=(sweep.spans[0]._replace(start=sweep.start, end=hit.end),), until=0)
    best: list[tuple[float, int, float, int]] = []
    plan = sweeping.plan
    for tile in sweep_of(plan.model, sweeping.bases, objective, back, plan.tile, plan.settings):
        v = sweeping.direction.direction.tangents(tile.start, one_hot(tile.bases, ghost.dtype, ghost.device))[0]
        parts = (tile.x_bar.double() * v.double()).sum(1).cpu().numpy()
        for offset in abs(parts).argsort()[::-1]:
            position = tile.start + int(offset)
            entry = (abs(float(parts[offset])), -position, float(parts[offset]), int(tile.bases[offset]))
            if len(best) == SOURCES and entry <= best[0]:
                break
            if position <= newest:
                (heapq.heappush if len(best) < SOURCES else heapq.heappushpop)(best, entry)
    return [
        TraceRow(
            chrom=reading.name,
            start=reading.forward(-minus),
            end=reading.forward(-minus) + 1,
            base=decode(bytes_of(code)),
            hit=hit.name,
            hit_start=reading.forward(hit.start),
            distance=hit.start + minus,
            value=part,
            share=part / float(size),
        )
        for _, minus, part, code in sorted(best, reverse=True)
    ]


def bytes_of(code: int) -> BaseCodes:
    """Return one base code as an array."""
    return torch.tensor([code], dtype=torch.uint8).numpy()
