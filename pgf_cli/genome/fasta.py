"""Sequence of a FASTA by record and position, one byte a base, never a whole chromosome at once."""

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyfaidx
from numpy.typing import NDArray

from pgf_cli.genome.alphabet import BaseCounts, count, encode
from pgf_cli.genome.errors import ContigNotFoundError, FastaError
from pgf_cli.genome.index import open_indexed

_CHUNK = 1 << 20


class Genome:
    """An open FASTA, plain or BGZF; use as a context manager.

    It holds one file handle, so each process (and thread) opens its own. Record names are the first word of the header.

    Attributes:
        path: the FASTA.
        names: record names in file order.
        lengths: bases per record, in file order.
    """

    def __init__(self, path: Path, fasta: pyfaidx.Fasta) -> None:
        self._fasta = fasta
        self.path = path
        self.lengths: dict[str, int] = {name: len(record) for name, record in fasta.items()}
        self.names: tuple[str, ...] = tuple(self.lengths)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a FASTA, building its index if there is none that fits; errors as for `open_indexed`."""
        return cls(path, open_indexed(path))

    def record(self, name: str) -> "Record":
        """Return the record of that name.

        Raises:
            ContigNotFoundError: there is none.
        """
        if name not in self.lengths:
            raise ContigNotFoundError(name, self.names, str(self.path))
        return Record(name, self.path, self._fasta[name])

    def close(self) -> None:
        """Close the file; its records cannot be read any more."""
        self._fasta.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Record:
    """One record of a `Genome`; `record[start:end]` gives base codes (end - start,), clamped like any slice.

    Slicing raises LetterError for letters that are no nucleotides, with the 1-based position in the record.
    """

    def __init__(self, name: str, path: Path, record: pyfaidx.FastaRecord) -> None:
        self.name = name
        self._path = path
        self._record = record
        self._where = f"{path}, record {name!r}"

    def __len__(self) -> int:
        return len(self._record)

    def __getitem__(self, span: slice) -> NDArray[np.uint8]:
        start, end, step = span.indices(len(self))
        if step != 1:
            raise ValueError(f"a record is read base by base, not in steps of {step}")
        return encode(self.text(start, end), where=self._where, start=start)

    def text(self, start: int, end: int) -> bytes:
        """Read the letters of [start, end), clamped like a slice, exactly as they stand in the file.

        Raises:
            FastaError: the file no longer gives that many letters.
        """
        start, end, _ = slice(start, end).indices(len(self))
        if end <= start:
            return b""
        try:
            raw: bytes = self._record[start:end].encode()
        except ValueError as error:
            raise FastaError(
                f"{self._where}: cannot be read near position {start + 1:,}; is the file damaged?"
            ) from error
        if len(raw) != end - start:
            raise FastaError(f"{self._where}: {self._path.name} was cut short while in use; start again")
        return raw

    def counts(self, start: int, end: int) -> BaseCounts:
        """Count the letters of [start, end), clamped like a slice, by kind; errors as for slicing."""
        start, end, _ = slice(start, end).indices(len(self))
        total = BaseCounts()
        for at in range(start, end, _CHUNK):
            total += count(self.text(at, min(at + _CHUNK, end)), where=self._where, start=at)
        return total
