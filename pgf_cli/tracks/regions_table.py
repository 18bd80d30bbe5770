"""`PREFIX.regions.tsv`: what was asked for and what became of it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from pgf_cli.tracks.tables import TableWriter


class RegionRow(NamedTuple):
    """A region or record that was asked for; the fields and their order are the table's columns.

    Attributes:
        chrom, start, end: the region, 0-based half-open.
        name: its name in the BED file; None without one.
        status: whether it was written.
        reason: why it was dropped; None where it was kept.
        bases_scored, n: bases with a score, and bases without one because they read as N.
        soft_masked: bases in lower case, which are scored like the others.
        iupac: bases that read as N because an ambiguity code stands there.
    """

    chrom: str
    start: int
    end: int
    name: str | None
    status: Literal["kept", "dropped"]
    reason: str | None
    bases_scored: int
    n: int
    soft_masked: int
    iupac: int


def write_regions_table(path: Path, rows: Iterable[RegionRow]) -> list[str]:
    """Write one line per row, as they come, under a header, tab separated; NA for what does not apply.

    Returns:
        What users should know of the table, a line each.

    Raises:
        WriteError: the file cannot be written.
    """
    with TableWriter(path, RegionRow._fields) as table:
        table.write(rows)
    return table.warnings("regions.tsv")
