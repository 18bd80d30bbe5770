"""What is read along a record, and which of it is written; every question answered by bisection."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pgf_cli.core.choices import ReadStrand
from pgf_cli.genome.regions import Region


class Reading(NamedTuple):
    """A record as it is read along one strand; a run that reads both strands has two of each record."""

    contig: str
    strand: ReadStrand


class ReadPass(NamedTuple):
    """One pass along a record: reading begins at `start`; `spans`, sorted and disjoint, are what is written.

    Positions are those of the strand that is read.
    """

    contig: str
    start: int
    spans: tuple[Region, ...]
    until: int = 0
    """Reading goes on to here at least, 0-based exclusive: to a target, or to a window's end."""
    strand: ReadStrand = "forward"
    """The one that is read."""

    @property
    def reading(self) -> Reading:
        """What it is a pass of."""
        return Reading(self.contig, self.strand)

    @property
    def end(self) -> int:
        """Where reading ends, 0-based exclusive."""
        return max(self.until, self.spans[-1].end)

    def written(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the parts [start, end) of an interval that are written, from left to right."""
        # There can be as many spans as a chromosome has exons, and this is asked for each tile.
        first = bisect_right(self.spans, start, key=lambda span: span.end)
        last = bisect_left(self.spans, end, key=lambda span: span.start)
        for span in self.spans[first:last]:
            yield max(span.start, start), min(span.end, end)


class RecordPasses:
    """All passes of one reading of a record, in their order; their spans are disjoint and go on from pass to pass.

    Positions are those of the strand that is read.

    Args:
        passes: at least one, of one reading.

    Attributes:
        passes: as given.
        spans: what is written, sorted.
    """

    def __init__(self, passes: Iterable[ReadPass]) -> None:
        self.passes: tuple[ReadPass, ...] = tuple(passes)
        self.spans: tuple[Region, ...] = tuple(span for one in self.passes for span in one.spans)
        self._starts = [span.start for span in self.spans]
        self._pass_of = [number for number, one in enumerate(self.passes) for _ in one.spans]

    def __iter__(self) -> Iterator[ReadPass]:
        return iter(self.passes)

    def __len__(self) -> int:
        return len(self.passes)

    @property
    def contig(self) -> str:
        """The record's name."""
        return self.passes[0].contig

    @property
    def start(self) -> int:
        """The first position written."""
        return self.spans[0].start

    @property
    def end(self) -> int:
        """One past the last position written or read."""
        return self.passes[-1].end

    def pass_at(self, position: int) -> ReadPass | None:
        """Return the pass that writes a position; None where nothing is written."""
        index = self._span_at(position)
        return None if index is None else self.passes[self._pass_of[index]]

    def index_at(self, position: int) -> int:
        """Return which pass writes a position.

        Raises:
            LookupError: nothing is written there.
        """
        index = self._span_at(position)
        if index is None:
            raise LookupError(f"position {position} of {self.contig} is not written")
        return self._pass_of[index]

    def written_until(self, position: int) -> int | None:
        """Return the end of the written stretch that holds a position; None where nothing is written."""
        index = self._span_at(position)
        return None if index is None else self.spans[index].end

    def reads(self, position: int) -> bool:
        """Whether any pass reads a position."""
        # Passes begin and end in one order, so of those that have begun the last one reads furthest.
        begun = bisect_right(self.passes, position, key=lambda one: one.start)
        return bool(begun) and position < self.passes[begun - 1].end

    def _span_at(self, position: int) -> int | None:
        index = bisect_right(self._starts, position) - 1
        return index if index >= 0 and position < self.spans[index].end else None
