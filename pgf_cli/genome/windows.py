"""Passes of a model that reads in both directions: whole records, or windows that overlap."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pgf_cli.core.choices import ReadStrand
from pgf_cli.genome.passes import ReadPass
from pgf_cli.genome.regions import Region


class Windows(NamedTuple):
    """How a record is read that is longer than a window."""

    length: int
    """Bases of a window."""
    overlap: int
    """Bases that a window shares with the next one."""

    def over(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Yield windows over [start, end) as (first, end, where the next one's own bases begin), from left to right.

        A base is a window's own if the window's middle is the nearest; of two as near, the right one's. Windows stand
        at fixed steps from ``start``, the last one at ``end``.
        """
        step, last = self.length - self.overlap, max(start, end - self.length)
        firsts = [*range(start, last, step), last]
        for first, following in zip(firsts, [*firsts[1:], None], strict=True):
            until = min(end, first + self.length)
            # Where a base's own middle is no nearer to this window's than to the next one's, which is as long.
            yield first, until, end if following is None else (first + following + self.length) // 2


def two_direction_passes(
    spans: Sequence[Region],
    length: int,
    context: int | None,
    windows: Windows | None,
    strand: ReadStrand = "forward",
) -> list[ReadPass]:
    """Return what is read of one record so that every base of its spans has all that it depends on, or its window.

    Args:
        spans: what is written, sorted and disjoint, as read.
        length: of the record.
        context: bases read on either side of each span at most; None: the whole record.
        windows: how what is longer is cut; None: it is not.
        strand: the one that is read.
    """
    contig = spans[0].contig
    if context is None:
        stretches = [(0, length, list(spans))]
    else:
        stretches = [(max(0, one.start - context), min(length, one.end + context), [one]) for one in spans]
    passes = []
    for start, end, written in stretches:
        own_from = start
        for first, until, own_to in (windows or Windows(end - start, 0)).over(start, end):
            mine = tuple(
                Region(contig, max(own_from, span.start), min(own_to, span.end))
                for span in written
                if span.end > own_from and span.start < own_to
            )
            own_from = own_to
            if mine:
                passes.append(ReadPass(contig, first, mine, until, strand))
    return passes


def without(spans: Sequence[Region], holes: Iterable[tuple[int, int]]) -> Iterator[Region]:
    """Yield what is left of spans, sorted and disjoint, outside half-open intervals."""
    cuts = sorted(holes)
    for span in spans:
        at = span.start
        for first, end in cuts:
            if end <= at or first >= span.end:
                continue
            if first > at:
                yield span._replace(start=at, end=first)
            at = end
        if at < span.end:
            yield span._replace(start=at)
