"""BED files, in which a lab lists the regions it wants."""

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pgf_cli.genome.errors import BedError, ContigNotFoundError
from pgf_cli.genome.hints import RecordHints
from pgf_cli.genome.lines import LineReader
from pgf_cli.genome.names import quoted, read_position
from pgf_cli.genome.regions import Region
from pgf_cli.inputs import InputFile
from pgf_cli.printable import printable

MOST_ROWS = 2_000_000
"""They are all kept, a few hundred bytes each."""

_HEADER_WORDS = ("track", "browser")
_LONGEST_LABEL = 1024


class RequestedRegion(NamedTuple):
    """A region that was asked for, and whether it is kept; `reason` says why not and is empty when it is.

    `name` is the fourth column of its BED row, or ".".
    """

    region: Region
    name: str
    kept: bool
    reason: str


def validate(region: Region, name: str, length: int) -> RequestedRegion:
    """Keep a region that has bases and lies inside its record; else say why it is dropped.

    Args:
        region: the region.
        name: what it is called.
        length: bases of its record.
    """
    reason = ""
    if region.end > length:
        reason = f"ends at {region.end:,}, past the {length:,} bases of {region.contig!r}"
    elif region.start == region.end:
        reason = "has no bases"
    return RequestedRegion(region, name, kept=not reason, reason=reason)


def read_bed(path: Path, lengths: Mapping[str, int], inputs: list[InputFile] | None = None) -> list[RequestedRegion]:
    """Read a BED file of three or more columns, plain or gzipped; from a path, a pipe, or `-` for standard input.

    Columns are separated by tabs, or by any blanks in lines without a tab. Header lines (`#`, `track`, `browser`) and
    empty lines are skipped, but for rows of a record that is itself called so. Rows of an unknown record, past a
    record's end or without bases come back as dropped. Labels that are not UTF-8 are read as Latin-1.

    Args:
        path: the BED file; 0-based half-open.
        lengths: bases per record.
        inputs: where to add what was read, with the hash of these very bytes.

    Returns:
        Every row, in file order.

    Raises:
        BedError: the file cannot be read, or a row has fewer than three columns, a record's name that is no text,
            positions that are not whole numbers, or an end before its start; says the line.

    Source: GA4GH BED v1.0 specification.
    """
    hints = RecordHints(lengths)

    @cache
    def unknown(contig: str) -> str:
        return str(ContigNotFoundError(contig, hints))

    reader = LineReader(path, "a BED file", BedError)
    rows: list[RequestedRegion] = []
    for where, line in _rows(reader, lengths):
        region, name = _parse_row(line, where)
        length = lengths.get(region.contig)
        if length is None:
            rows.append(RequestedRegion(region, name, kept=False, reason=unknown(region.contig)))
        else:
            rows.append(validate(region, name, length))
        if len(rows) > MOST_ROWS:
            raise BedError(f"{path} has more than {MOST_ROWS:,} rows; merge those that overlap, or give it in parts")
    if inputs is not None:
        inputs.append(reader.file)
    return rows


def _rows(reader: LineReader, lengths: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for number, line in reader:
        words = line.split(maxsplit=3)
        if words and not _is_header(words, lengths):
            yield f"{reader.path}, line {number:,}", line


def _is_header(words: list[str], lengths: Mapping[str, int]) -> bool:
    if not words[0].startswith("#") and words[0] not in _HEADER_WORDS:
        return False
    return not (words[0] in lengths and len(words) > 2 and words[1].isdecimal() and words[2].isdecimal())


def _parse_row(line: str, where: str) -> tuple[Region, str]:
    columns = line.split("\t", 4) if "\t" in line else line.split(maxsplit=4)
    if len(columns) < 3:
        raise BedError(f"{where}: {len(columns)} of at least 3 columns; write record, start and end between tabs")
    contig, start, end = columns[0], _position(columns[1], where), _position(columns[2], where)
    if not contig.isprintable():
        raise BedError(
            f"{where}: the record's name {quoted(contig)} has bytes that are not UTF-8 text, or control characters; "
            "write it as the FASTA does"
        )
    if start > end:
        raise BedError(f"{where}: start {start:,} lies after end {end:,}; swap them")
    return Region(sys.intern(contig), start, end), _label(columns[3]) if len(columns) > 3 else "."


def _label(text: str) -> str:
    """Return the fourth column for tables and the terminal: it names nothing, so that no byte of it is refused."""
    text = text.strip()[:_LONGEST_LABEL]
    if not text.isprintable():
        text = printable(text.encode(errors="surrogateescape").decode("latin-1") if _is_bytes(text) else text)
    return text or "."


def _is_bytes(text: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in text)


def _position(text: str, where: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit()):
        raise BedError(
            f"{where}: {quoted(text)} is not a position; write whole numbers from 0, and # before a header line"
        )
    try:
        return read_position(digits)
    except ValueError as error:
        raise BedError(f"{where}: {error}; write whole numbers from 0") from error
