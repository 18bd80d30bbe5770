"""Sequence of a FASTA by record and position, one byte a base, never a whole chromosome at once."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pgf_cli.genome.alphabet import BaseCounts, count_encoded, encode
from pgf_cli.genome.bgzf import DamagedBlockError
from pgf_cli.genome.errors import ContigNotFoundError, FastaAccessError, FastaError
from pgf_cli.genome.faidx import FaiRow
from pgf_cli.genome.index import IndexedFasta, Text, open_indexed
from pgf_cli.genome.record_slice import RecordSlice
from pgf_cli.inputs import is_other

_CHUNK = 1 << 20


class Survey(NamedTuple):
    """What a stretch of a record holds."""

    counts: BaseCounts
    sha256: str
    """Of its base codes, one byte a base, in hex: soft-masking, U for T, line ends and compression make no difference,
    any base that is read otherwise does."""


class Genome:
    """An open FASTA, plain or BGZF; use as a context manager. Record names are the first word of the header.

    ``genome["chr1"]`` is the whole record and ``genome["chr1"][1000:2000]`` bases of it, as `RecordSlice`: nothing is
    read before its codes are asked for. Iterating gives the names.

    Attributes:
        path: the FASTA.
        names: record names in file order.
        lengths: bases per record, in file order.
        identity: of the file that was opened.
    """

    def __init__(self, path: Path, fasta: IndexedFasta) -> None:
        self._fasta = fasta
        self.path = path
        self.identity = fasta.identity
        self.lengths: dict[str, int] = {name: row.length for name, row in fasta.rows.items()}
        self.names: tuple[str, ...] = tuple(self.lengths)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a FASTA, building its index if there is none that fits; errors as for `open_indexed`."""
        return cls(Path(path), open_indexed(Path(path)))

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.lengths

    def __getitem__(self, name: str) -> RecordSlice:
        """Return the record of that name; errors as for `record`."""
        record = self.record(name)
        return RecordSlice(record, 0, len(record))

    def changed(self) -> bool:
        """Whether another file stands at the path now, or none, or this one was written to since it was opened."""
        return is_other(self.path, self.identity)

    def record(self, name: str) -> "Record":
        """Return the record of that name.

        Raises:
            ContigNotFoundError: there is none.
        """
        if name not in self.lengths:
            raise ContigNotFoundError(name, self.names, str(self.path))
        return Record(name, self.path, self._fasta.rows[name], self._fasta.text)

    def close(self) -> None:
        """Close the file; its records cannot be read any more."""
        self._fasta.file.close()

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

    def __init__(self, name: str, path: Path, row: FaiRow, text: Text) -> None:
        self.name = name
        self._path = path
        self._row, self._text = row, text
        self._where = f"{path}, record {name!r}"

    def __len__(self) -> int:
        return self._row.length

    def __getitem__(self, span: slice) -> NDArray[np.uint8]:
        start, end, step = span.indices(len(self))
        if step != 1:
            raise ValueError(f"a record is read base by base, not in steps of {step}")
        return encode(self.text(start, end), where=self._where, start=start)

    def text(self, start: int, end: int) -> bytes:
        """Read the letters of [start, end), clamped like a slice, exactly as they stand in the file.

        Raises:
            FastaError: the file no longer gives that many letters, or its compression is damaged there.
            FastaAccessError: the file cannot be read any more.
        """
        start, end, _ = slice(start, end).indices(len(self))
        if end <= start:
            return b""
        try:
            raw = self._text.read(self._row.byte_of(start), self._row.byte_of(end - 1) + 1)
        except DamagedBlockError as error:
            raise FastaError(
                f"{self._where}, near position {start + 1:,}: the file is damaged ({error}); fetch or compress it again"
            ) from error
        except OSError as error:
            raise FastaAccessError(
                f"{self._where}, near position {start + 1:,}: cannot be read ({error.strerror}); is its disk there?"
            ) from error
        letters = raw.translate(None, b"\r\n")
        if len(letters) != end - start:
            changed = "was cut short" if len(letters) < end - start else "changed"
            raise FastaError(f"{self._where}: {self._path.name} {changed} while in use; start again")
        return letters

    def counts(self, start: int, end: int) -> BaseCounts:
        """Count the letters of [start, end), clamped like a slice, by kind; errors as for slicing."""
        return self.survey(start, end).counts

    def survey(self, start: int, end: int) -> Survey:
        """Read [start, end), clamped like a slice, once, and say what is there; errors as for slicing."""
        start, end, _ = slice(start, end).indices(len(self))
        counts, digest = [], hashlib.sha256()
        for at in range(start, end, _CHUNK):
            letters = self.text(at, min(at + _CHUNK, end))
            codes = encode(letters, where=self._where, start=at)
            counts.append(count_encoded(letters, codes))
            digest.update(codes.data)
        return Survey(counts[0] if len(counts) == 1 else sum(counts, BaseCounts()), digest.hexdigest())
