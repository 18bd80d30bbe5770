"""A record's track values, read back from the parts that hold them."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pgf_cli.genome import RecordPasses, mirror
from pgf_cli.runs.compute import GroupParts
from pgf_cli.runs.context import RecordContext
from pgf_cli.runs.parts import Part, Sums
from pgf_cli.tracks.tile import HYPOTHETICAL, ScoredTile

BLOCK_BASES = 1 << 16
OPEN_PARTS = 16
"""A chromosome has hundreds of parts; no more files than these are open for reading."""


PassSums = Mapping[str, Sums]
"""The sums of one pass by the kind of sweep."""


class HeldPass(NamedTuple):
    """Which parts hold a pass."""

    parts: Sequence[GroupParts]
    """Of every kind of sweep."""
    member: int
    """Which of their group's passes it is."""


class HeldReading(NamedTuple):
    """One reading of a record, every pass of it done."""

    context: RecordContext
    passes: RecordPasses
    held: Sequence[HeldPass]
    """What holds each of the passes."""
    sums: Sequence[PassSums]
    """Of each of the passes."""


class TrackValues(Protocol):
    """The values of a record's tracks; positions are those of the strand that is read."""

    def read(self, name: str, start: int, end: int) -> NDArray[np.floating[Any]]:
        """Return a track's values at [start, end), all of which is written."""
        ...

    def oriented(self, names: Sequence[str]) -> Iterator[ScoredTile]:
        """Yield everything that is written from left to right along the strand that is read."""
        ...

    def forward(self, names: Sequence[str]) -> Iterator[ScoredTile]:
        """Yield everything that is written in the record's own coordinates and order."""
        ...

    def read_forward(self, name: str, start: int, end: int) -> NDArray[np.floating[Any]]:
        """Return a track's values at [start, end) of the record's own coordinates, and in their order."""
        ...


class RecordValues(TrackValues):
    """The values of one reading of a record.

    Args:
        context: the record.
        passes: its passes.
        held: what holds each of them.
        null: those of the shuffled record.
    """

    def __init__(
        self, context: RecordContext, passes: RecordPasses, held: Sequence[HeldPass], *, null: bool = False
    ) -> None:
        self._context, self._passes = context, passes
        self._open: OrderedDict[str, Part] = OrderedDict()
        self._holders = [
            {
                column: (parts, member)
                for parts in one_held
                if parts.kind.null == null
                for column in parts.kind.columns(context)
            }
            for one_held, member in held
        ]

    def read(self, name: str, start: int, end: int) -> NDArray[np.floating[Any]]:
        """See TrackValues."""
        pieces = []
        while start < end:
            parts, member = self._holders[self._passes.index_at(start)][name]
            stop = min(end, self._passes.written_until(start) or end, parts.end_of_part(start))
            pieces.append(self._part(parts.part_at(start)).read(name, member, start, stop))
            start = stop
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def oriented(self, names: Sequence[str]) -> Iterator[ScoredTile]:
        """See TrackValues."""
        for span in self._passes.spans:
            for at in range(span.start, span.end, BLOCK_BASES):
                stop = min(span.end, at + BLOCK_BASES)
                values = {name: self.read(name, at, stop) for name in names}
                yield ScoredTile(self._context.record.name, at, self._context.bases[at:stop], values)

    def forward(self, names: Sequence[str]) -> Iterator[ScoredTile]:
        """See TrackValues."""
        record = self._context.record
        if not record.reverse:
            yield from self.oriented(names)
            return
        for span in reversed(self._passes.spans):
            start, end = record.forward_span(span.start, span.end)
            for at in range(start, end, BLOCK_BASES):
                stop = min(end, at + BLOCK_BASES)
                values = {name: self.read_forward(name, at, stop) for name in names}
                yield ScoredTile(record.name, at, record.record[at:stop], values)

    def read_forward(self, name: str, start: int, end: int) -> NDArray[np.floating[Any]]:
        """See TrackValues."""
        record = self._context.record
        if not record.reverse:
            return self.read(name, start, end)
        return self.read(_complement(name), *mirror(start, end, len(record)))[::-1].copy()

    def close(self) -> None:
        """Let go of the files."""
        for part in self._open.values():
            part.close()
        self._open.clear()

    def _part(self, part: Part) -> Part:
        self._open[part.name] = part
        self._open.move_to_end(part.name)
        if len(self._open) > OPEN_PARTS:
            self._open.popitem(last=False)[1].close()
        return part


class MeanValues(TrackValues):
    """The mean of both readings of a record at each base, in the record's own coordinates.

    Args:
        forward, reverse: the readings' values.
    """

    def __init__(self, forward: RecordValues, reverse: RecordValues) -> None:
        self._forward, self._reverse = forward, reverse

    def read(self, name: str, start: int, end: int) -> NDArray[np.floating[Any]]:
        """See TrackValues."""
        one, other = (each.read_forward(name, start, end) for each in (self._forward, self._reverse))
        # In float64, so that the mean of two float32 is rounded once.
        mean: NDArray[np.floating[Any]] = ((one.astype(np.float64) + other) / 2).astype(one.dtype)
        return mean

    def oriented(self, names: Sequence[str]) -> Iterator[ScoredTile]:
        """See TrackValues."""
        for tile in self._forward.oriented(()):
            end = tile.start + len(tile.bases)
            yield tile._replace(values={name: self.read(name, tile.start, end) for name in names})

    def forward(self, names: Sequence[str]) -> Iterator[ScoredTile]:
        """See TrackValues."""
        return self.oriented(names)

    def read_forward(self, name: str, start: int, end: int) -> NDArray[np.floating[Any]]:
        """See TrackValues."""
        return self.read(name, start, end)


def _complement(name: str) -> str:
    """On the other strand a base's hypothetical score is that of its complement."""
    return HYPOTHETICAL[3 - HYPOTHETICAL.index(name)] if name in HYPOTHETICAL else name
