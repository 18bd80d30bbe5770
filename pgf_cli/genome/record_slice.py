"""Bases of a record, as a notebook names them: by record and interval, read when they are needed."""

from functools import cached_property
from typing import Protocol, Self

from pgf_cli.core.bases import BaseCodes, BaseSequence


class NamedSequence(BaseSequence, Protocol):
    """A record's base codes, with the record's name."""

    @property
    def name(self) -> str:
        """The record's name."""


class RecordSlice:
    """Bases [start, end) of a record.

    A slice of it is one, too: its positions count from this one's first base, as those of any sequence do. A step
    other than 1 is a ValueError.

    Attributes:
        name: the record.
        start, end: where in the record the bases are, 0-based half-open.
    """

    def __init__(self, record: NamedSequence, start: int, end: int) -> None:
        self._record = record
        self.name = record.name
        self.start, self.end = start, end

    def __len__(self) -> int:
        return self.end - self.start

    def __getitem__(self, positions: slice) -> Self:
        if not isinstance(positions, slice):
            raise TypeError(f"bases are taken as slices, as in [{positions}:{positions} + 1]")
        start, end, step = positions.indices(len(self))
        if step != 1:
            raise ValueError(f"bases are taken one after the other, not in steps of {step}")
        return type(self)(self._record, self.start + start, self.start + max(start, end))

    def __repr__(self) -> str:
        return f"<{len(self):,} bases, {self.name}:{self.start + 1:,}-{self.end:,}>"

    @cached_property
    def codes(self) -> BaseCodes:
        """The base codes A=0, C=1, G=2, T=3, N=4, (end - start,) uint8; read at once, and kept.

        Raises:
            GenomeError: the file cannot be read, or holds a letter there that is no nucleotide.
        """
        return self._record[self.start : self.end]
