"""Where a user wants a pulse: `CHROM:POS[:ALT]` strings and BED files."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pgf_cli.core.bases import LETTERS
from pgf_cli.genome.bed import read_bed
from pgf_cli.genome.errors import ContigNotFoundError, RegionError
from pgf_cli.genome.names import in_file_name, quoted, read_position
from pgf_cli.inputs import InputFile

MOST_PULSES = 1_000_000
"""They are all kept, a few hundred bytes each."""

_SITE = re.compile(r"(?P<contig>.+):(?P<position>\d[\d,]*)(:(?P<alt>[A-Za-z]))?", re.ASCII)


class PulseSite(NamedTuple):
    """One base where a pulse goes in; prints as the 1-based string that names it."""

    contig: str
    position: int
    """0-based."""
    alt: str | None
    """Another base: the pulse is that variant's direction."""

    def __str__(self) -> str:
        return f"{self.contig}:{self.position + 1}" + (f":{self.alt}" if self.alt else "")

    @property
    def label(self) -> str:
        """The site in a file's name: `CHROM_POS` or `CHROM_POS_ALT`, of no two sites the same."""
        return f"{in_file_name(self.contig)}_{self.position + 1}" + (f"_{self.alt}" if self.alt else "")


def parse_pulse(text: str, lengths: Mapping[str, int], source: str = "the FASTA") -> PulseSite:
    """Read `CHROM:POS` or `CHROM:POS:ALT`; POS is 1-based, commas allowed.

    Args:
        text: the string.
        lengths: bases per record.
        source: what errors call the FASTA.

    Raises:
        RegionError: it cannot be read, or the position lies outside its record.
        ContigNotFoundError: no such record.
    """
    match = _SITE.fullmatch(text.strip())
    if match is None:
        raise RegionError(
            f"pulse {quoted(text)} cannot be read; write CHROM:POS or CHROM:POS:ALT, POS 1-based, ALT a base"
        )
    contig, alt = match["contig"], match["alt"]
    if contig not in lengths:
        raise ContigNotFoundError(contig, lengths, source)
    try:
        position = read_position(match["position"])
    except ValueError as error:
        raise RegionError(f"pulse {quoted(text)}: {error}; {contig!r} has {lengths[contig]:,} bases") from error
    if not 1 <= position <= lengths[contig]:
        raise RegionError(f"pulse {quoted(text)} lies outside {contig!r}, whose bases are 1 to {lengths[contig]:,}")
    if alt and alt.upper().replace("U", "T") not in LETTERS[:4]:
        raise RegionError(f"pulse {quoted(text)}: {alt!r} is no base to put there; ALT is A, C, G or T")
    return PulseSite(contig, position - 1, alt.upper().replace("U", "T") if alt else None)


def read_pulses(path: Path, lengths: Mapping[str, int], inputs: list[InputFile] | None = None) -> list[PulseSite]:
    """Read a BED file of pulses: one at every base of every row.

    Args:
        path: the file, as for `read_bed`.
        lengths: bases per record.
        inputs: where to add what was read, with the hash of these very bytes.

    Raises:
        BedError: the file cannot be read.
        RegionError: a row names a record or bases that the FASTA does not have, or there are too many.
    """
    sites: list[PulseSite] = []
    for row in read_bed(path, lengths, inputs):
        contig, start, end = row.region
        if not row.kept:
            raise RegionError(f"{path}: pulse {row.region}: {row.reason}; give bases of this FASTA")
        if len(sites) + end - start > MOST_PULSES:
            raise RegionError(f"{path}: more than {MOST_PULSES:,} bases, each of which would be a pulse; list fewer")
        sites += [PulseSite(contig, at, None) for at in range(start, end)]
    return sites
