"""What a sweep reads: base codes by position, with a name and coordinates that errors can speak of."""

from typing import Protocol

from pgf_cli.core.bases import BaseCodes, BaseSequence


class SweptRecord(BaseSequence, Protocol):
    """Bases on the strand that is read; an oriented record of a FASTA, a shuffle of one, or codes in memory."""

    @property
    def name(self) -> str:
        """The record's name."""
        ...

    def forward(self, position: int) -> int:
        """Return a 0-based position in the record's own coordinates."""
        ...


class CodesRecord:
    """Base codes in memory as a record.

    Args:
        codes: (L,), A = 0, C = 1, G = 2, T = 3, N = 4.
        name: what errors call it.
    """

    def __init__(self, codes: BaseCodes, name: str = "sequence") -> None:
        self._codes, self.name = codes, name

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, positions: slice, /) -> BaseCodes:
        return self._codes[positions]

    def forward(self, position: int) -> int:
        """Return the position itself."""
        return position


class OtherBases:
    """Other bases in the place of a record's, a shuffle for instance, under its name and coordinates.

    Args:
        bases: as long as the record.
        record: gives name and coordinates.
    """

    def __init__(self, bases: BaseSequence, record: SweptRecord) -> None:
        self._bases, self._record = bases, record

    @property
    def name(self) -> str:
        """The record's name."""
        return self._record.name

    def __len__(self) -> int:
        return len(self._bases)

    def __getitem__(self, positions: slice, /) -> BaseCodes:
        return self._bases[positions]

    def forward(self, position: int) -> int:
        """Return a position in the record's own coordinates."""
        return self._record.forward(position)
