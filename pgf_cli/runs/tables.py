"""Tables of a run that are about what was asked for, not about scores."""

from collections.abc import Iterable
from pathlib import Path

from pgf_cli.genome import BaseCounts
from pgf_cli.genome.bed import RequestedRegion
from pgf_cli.tracks.regions_table import RegionRow, write_regions_table


def write_regions(path: Path, requested: Iterable[RequestedRegion], counts: Iterable[BaseCounts]) -> list[str]:
    """Write a row for every region or record that was asked for, kept or dropped, and why; return its warnings.

    Args:
        path: the file to create.
        requested: in the order of asking.
        counts: of each of them.
    """
    rows = (
        RegionRow(
            *row.region,
            name=None if row.name == "." else row.name,
            status="kept" if row.kept else "dropped",
            reason=row.reason or None,
            bases_scored=count.scored,
            n=count.n + count.iupac,
            soft_masked=count.soft_masked,
            iupac=count.iupac,
        )
        for row, count in zip(requested, counts, strict=True)
    )
    return write_regions_table(path, rows)
