"""``PREFIX.trace.tsv``: which bases the strongest ghost hits go back to."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from pgf_cli.errors import PgfError
from pgf_cli.tracks.tables import read_tsv, write_tsv


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


def write_trace_table(path: Path, rows: Iterable[TraceRow]) -> None:
    """Write one line a source under a header, tab separated, 0-based half-open.

    Raises:
        WriteError: the file cannot be written.
    """
    write_tsv(path, pd.DataFrame(list(rows), columns=list(TraceRow._fields), dtype=object))


def read_trace_table(path: Path) -> list[TraceRow]:
    """Read back what ``write_trace_table`` wrote.

    Raises:
        TraceFileError: the file is missing or is no such table.
    """
    try:
        table = read_tsv(path)
        return [
            TraceRow(c, int(s), int(e), base, hit, int(h), int(d), float(value), float(share))
            for c, s, e, base, hit, h, d, value, share in table[list(TraceRow._fields)].itertuples(index=False)
        ]
    except (OSError, ValueError, KeyError) as error:
        raise TraceFileError(f"cannot read {path}: run `pgf-sensitivity run` again with --force") from error
