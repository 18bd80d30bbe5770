"""A record on the strand that is read: its bases, letters, counts and coordinates, each turned round here alone."""

from typing import Protocol

from pgf_cli.core.bases import BaseCodes, BaseSequence
from pgf_cli.genome.alphabet import BaseCounts, decode
from pgf_cli.genome.blocks import InBlocks
from pgf_cli.genome.strand import ReverseComplement, complement, mirror


class NamedBases(BaseSequence, Protocol):
    """A record by name: of a FASTA (`Record`), or held in memory."""

    @property
    def name(self) -> str:
        """The record's name."""

    def counts(self, start: int, end: int) -> BaseCounts:
        """Count the letters of [start, end), clamped like a slice, by kind."""


class OrientedRecord:
    """A record as it is read: 5' to 3' along its own strand or, in `reverse`, along the other.

    Slicing gives base codes (end - start,), read from the file in blocks of 65,536 and shared with later slices: do not
    write into them. Errors are those of the record, with the position in its own coordinates.

    Positions are 0-based, intervals half-open. *Oriented* ones count from the first base that is read, *forward* ones
    are the record's own, as files and reports show them.

    Args:
        record: the record.
        reverse: read its reverse complement.
    """

    def __init__(self, record: NamedBases, *, reverse: bool = False) -> None:
        self.record = record
        self.reverse = reverse
        self._bases = InBlocks(ReverseComplement(record) if reverse else record)

    @property
    def name(self) -> str:
        """The record's name."""
        return self.record.name

    def __len__(self) -> int:
        return len(self._bases)

    def __getitem__(self, positions: slice) -> BaseCodes:
        return self._bases[positions]

    def letter(self, position: int) -> str:
        """Return the letter of ACGTN at an oriented position, as it is read.

        Raises:
            IndexError: the position lies outside the record.
        """
        if not 0 <= position < len(self):
            raise IndexError(f"position {position} lies outside the {len(self)} bases of {self.name!r}")
        return decode(self[position : position + 1])

    def oriented_letter(self, letter: str) -> str:
        """Return how a letter of ACGTN that stands on the forward strand is read."""
        return complement(letter) if self.reverse else letter

    def counts(self, start: int, end: int) -> BaseCounts:
        """Count the letters of the oriented interval [start, end), clamped like a slice, by kind."""
        start, end, _ = slice(start, end).indices(len(self))
        return self.record.counts(*self.forward_span(start, max(start, end)))

    def forward(self, position: int) -> int:
        """Return where an oriented position lies in the record's own coordinates."""
        return len(self) - 1 - position if self.reverse else position

    def oriented(self, position: int) -> int:
        """Return where a position of the record's own coordinates is read."""
        return self.forward(position)

    def forward_span(self, start: int, end: int) -> tuple[int, int]:
        """Return an oriented interval in the record's own coordinates."""
        return mirror(start, end, len(self)) if self.reverse else (start, end)

    def oriented_span(self, start: int, end: int) -> tuple[int, int]:
        """Return an interval of the record's own coordinates as it is read."""
        return self.forward_span(start, end)
