"""``PREFIX.trace.tsv``: which bases the strongest ghost hits go back to."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pgf_cli.errors import PgfError
from pgf_cli.tracks.tables import TableWriter, read_table


class TraceFileError(PgfError, ValueError):
    """A trace.tsv is missing or is not what ``run`` wrote."""


class TraceRow(NamedTuple):
    """A source of a ghost hit; the fields and their order are the table's columns."""

    chrom: str
    start: int
    """Of the source base, 0-based."""
    end: int
    base: str
    hit: str
    """Name of the ghost hit."""
    hit_start: int
    """0-based."""
    distance: int
    """Bases from the source to the hit."""
    value: float
    """The source's part of the ghost, in the track's unit; the parts of all sources add up to the ghost."""
    share: float
    """The same, of the ghost."""


def trace_table(path: Path) -> TableWriter:
    """Create the table and return what TraceRows are appended with: one line a source, tab separated.

    Raises:
        WriteError: the file cannot be created.
    """
    return TableWriter(path, TraceRow._fields)


def read_trace_table(path: Path) -> list[TraceRow]:
    """Read back what was written.

    Raises:
        TraceFileError: the file is missing or is no such table.
    """
    try:
        header, rows = read_table(path)
        places = [header.index(field) for field in TraceRow._fields]
        return [_row([row[place] for place in places]) for row in rows]
    except (OSError, ValueError) as error:
        raise TraceFileError(f"cannot read {path}: run `pgf-sensitivity run` again with --force") from error


def _row(cells: Sequence[str]) -> TraceRow:
    chrom, start, end, base, hit, hit_start, distance, value, share = cells
    return TraceRow(chrom, int(start), int(end), base, hit, int(hit_start), int(distance), float(value), float(share))
