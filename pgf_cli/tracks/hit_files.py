"""Hits on disk: BED for browsers, TSV with everything that is known of them."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from pgf_cli.errors import PgfError
from pgf_cli.hits import Hit
from pgf_cli.tracks.disk import translate_os_errors
from pgf_cli.tracks.names import NamesMet, reads_as_comment, shown
from pgf_cli.tracks.tables import NOT_APPLICABLE, TableWriter, read_table

COLUMNS = tuple(field.name for field in dataclasses.fields(Hit))


class HitsFileError(PgfError, ValueError):
    """A hits.tsv is missing or is not what `run` wrote."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"cannot read hits from {path}: {what}; run `pgf-sensitivity run` again with --force.")


class HitsBedWriter:
    """Appends hits to a BED6 file, record by record: chrom, start, end (0-based half-open), name, score, strand.

    The score is the percentile times 10, rounded, 0 to 1000; the strand is the hit's, `.` unless both strands were read
    and told apart. Within a record lines are sorted by
    start. Source: UCSC Genome Browser, "BED format".

    Args:
        path: the file to create.

    Raises:
        WriteError: the file cannot be created, or later, written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._skipped = NamesMet()
        with translate_os_errors(path):
            self._file = path.open("w", encoding="utf-8", newline="\n")

    def write(self, hits: Iterable[Hit]) -> None:
        """Append the hits of one record."""
        with translate_os_errors(self._path):
            for hit in sorted(hits, key=lambda hit: hit.start):
                chrom, name, score = shown(hit.chrom), shown(hit.name), round(10 * hit.percentile)
                self._file.write(f"{chrom}\t{hit.start}\t{hit.end}\t{name}\t{score}\t{hit.strand}\n")
                if reads_as_comment(hit.chrom):
                    self._skipped.add(hit.chrom)

    def close(self) -> None:
        """Write what is buffered and close."""
        with translate_os_errors(self._path):
            self._file.close()

    def discard(self) -> None:
        """Close, whatever becomes of the content."""
        with suppress(OSError):
            self._file.close()

    def warnings(self) -> list[str]:
        """Say which lines other tools will skip."""
        if not self._skipped.rows:
            return []
        return [
            f"{self._skipped.rows:,} hits are on records whose names make their lines in hits.bed comments to other "
            f"tools ({self._skipped}); hits.tsv has them all: rename these records"
        ]


class HitsTsvWriter:
    """Appends hits to a table in the order given (by record, then rank), one column per field of Hit.

    NA where not applicable. Floats are the shortest decimals that read back exactly as float64; flags are joined by
    commas.

    Args:
        path: the file to create.

    Raises:
        WriteError: the file cannot be created, or later, written.
    """

    def __init__(self, path: Path) -> None:
        self._table = TableWriter(path, COLUMNS)

    def write(self, hits: Iterable[Hit]) -> None:
        """Append the hits of one record."""
        self._table.write([_cell(getattr(hit, column)) for column in COLUMNS] for hit in hits)

    def close(self) -> None:
        """Write what is buffered and close."""
        self._table.close()

    def discard(self) -> None:
        """Close, whatever becomes of the content."""
        self._table.discard()

    def warnings(self) -> list[str]:
        """Say which cells a spreadsheet would compute."""
        return self._table.warnings("hits.tsv")


def read_hits_tsv(path: Path) -> list[Hit]:
    """Read back what `HitsTsvWriter` wrote: equal hits in the same order.

    Raises:
        HitsFileError: the file is missing, has other columns, or a cell that cannot be read (the line is named).
    """
    try:
        header, rows = read_table(path)
    except FileNotFoundError:
        raise HitsFileError(path, "there is no such file") from None
    except (OSError, ValueError) as error:
        raise HitsFileError(path, "it is no table of hits") from error
    if tuple(header) != COLUMNS:
        missing = [column for column in COLUMNS if column not in header]
        raise HitsFileError(path, f"its header is not that of a hits.tsv (missing: {', '.join(missing) or 'none'})")
    # The header is line 1.
    return [_hit(path, line, row) for line, row in enumerate(rows, start=2)]


def _cell(value: str | float | tuple[str, ...] | None) -> str | float | None:
    if isinstance(value, tuple):
        return ",".join(value) or None
    # A NumPy float32 would be printed in its own precision and read back as another float64.
    return float(value) if isinstance(value, float | np.floating) else value


def _hit(path: Path, line: int, row: Sequence[str]) -> Hit:
    fields: dict[str, Any] = {}
    for column, cell in zip(COLUMNS, row, strict=True):
        read = _READERS[column]
        try:
            if not cell:
                raise ValueError("nothing stands there")
            fields[column] = read(cell)
        except ValueError as error:
            raise HitsFileError(path, f"line {line}, column {column}: {error}") from error
    return Hit(**fields)


def _optional(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda cell: None if cell == NOT_APPLICABLE else read(cell)


def _flags(cell: str) -> tuple[str, ...]:
    return () if cell == NOT_APPLICABLE else tuple(cell.split(","))


_READERS: dict[str, Callable[[str], Any]] = {
    "chrom": str,
    "start": int,
    "end": int,
    "name": str,
    "track": str,
    "value": float,
    "percentile": float,
    "robust_z": _optional(float),
    "fdr": _optional(float),
    "pulse": _optional(str),
    "lag": _optional(int),
    "half_life": _optional(int),
    "reach": _optional(int),
    "flags": _flags,
    "context": str,
    "strand": str,
}
