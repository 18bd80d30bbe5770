"""Regions, and the one place where a region string is parsed."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from pgf_cli.genome.errors import ContigNotFoundError, RegionError
from pgf_cli.genome.names import quoted, read_position

_SPAN = re.compile(r"(?P<start>\d[\d,]*)(?P<to>-(?P<end>\d[\d,]*)?)?", re.ASCII)
_LOOKS_NUMERIC = re.compile(r"[\d,-]*", re.ASCII)


class Region(NamedTuple):
    """Bases [start, end) of a record, 0-based half-open; prints as the 1-based inclusive string that IGV takes."""

    contig: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.contig}:{self.start + 1:,}-{self.end:,}"


def parse_region(text: str, lengths: Mapping[str, int], source: str = "the FASTA") -> Region:
    """Read a region string: `chr1:1,001-2,000` (1-based, inclusive), `chr1:500` (from there to the end), or `chr1`.

    A record whose own name is the whole string, colon included, wins.

    Args:
        text: the region string.
        lengths: bases per record.
        source: what errors call the FASTA, its path for instance.

    Raises:
        ContigNotFoundError: no such record.
        RegionError: not numbers, not 1-based, reversed, or past the record's end.

    Source: samtools(1), "Regions".
    """
    text = text.strip()
    if text in lengths:
        return Region(text, 0, lengths[text])
    contig, colon, span = text.rpartition(":")
    if contig not in lengths:
        raise ContigNotFoundError(contig if colon and _LOOKS_NUMERIC.fullmatch(span) else text, lengths, source)
    start, end = _bounds(span, text, lengths[contig])
    if start < 1:
        raise RegionError(f"region {quoted(text)} starts at {start}, but positions are 1-based; begin at 1")
    if start > end:
        raise RegionError(f"region {quoted(text)} is reversed; write {contig}:{end:,}-{start:,}")
    if end > lengths[contig]:
        raise RegionError(
            f"region {quoted(text)} runs past the end of {contig!r}, which has {lengths[contig]:,} bases in {source}; "
            f"end at {lengths[contig]:,} at most"
        )
    return Region(contig, start - 1, end)


def _bounds(span: str, text: str, length: int) -> tuple[int, int]:
    match = _SPAN.fullmatch(span)
    if match is None:
        raise RegionError(f"region {quoted(text)} cannot be read; write NAME:START-END, 1-based, like chr1:1,001-2,000")
    try:
        start = read_position(match["start"])
        # From a start past the end there is no reversed interval to report, only the overrun.
        return start, max(start, length) if match["end"] is None else read_position(match["end"])
    except ValueError as error:
        raise RegionError(f"region {quoted(text)}: {error}; end at {length:,} at most") from error
