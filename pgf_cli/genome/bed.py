"""BED files, in which a lab lists the regions it wants."""

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import IO, NamedTuple

from pgf_cli.genome.errors import BedError, ContigNotFoundError
from pgf_cli.genome.regions import Region


class RequestedRegion(NamedTuple):
    """A region that was asked for, and whether it is kept; `reason` says why not and is empty when it is.

    `name` is the fourth column of its BED row, or ".".
    """

    region: Region
    name: str
    kept: bool
    reason: str


def validate(
    region: Region, name: str, lengths: Mapping[str, int], unknown: Callable[[str], str] | None = None
) -> RequestedRegion:
    """Keep a region that has bases and lies inside its record; else say why it is dropped."""
    contig, start, end = region
    reason = ""
    if contig not in lengths:
        reason = unknown(contig) if unknown else str(ContigNotFoundError(contig, lengths))
    elif end > lengths[contig]:
        reason = f"ends at {end:,}, past the {lengths[contig]:,} bases of {contig!r}"
    elif start == end:
        reason = "has no bases"
    return RequestedRegion(region, name, kept=not reason, reason=reason)


def read_bed(path: Path, lengths: Mapping[str, int]) -> list[RequestedRegion]:
    """Read a BED file of three or more columns, plain or gzipped.

    Columns are separated by tabs, or by any blanks in lines without a tab. Header lines (`#`, `track`, `browser`) and
    empty lines are skipped. Rows of an unknown record, past a record's end or without bases come back as dropped.

    Args:
        path: the BED file; 0-based half-open.
        lengths: bases per record.

    Returns:
        Every row, in file order.

    Raises:
        BedError: the file cannot be read, or a row has fewer than three columns, positions that are not whole numbers,
            or an end before its start; says the line.

    Source: GA4GH BED v1.0 specification.
    """

    @cache
    def unknown(contig: str) -> str:
        return str(ContigNotFoundError(contig, lengths))

    return [validate(*_parse_row(line, f"{path}, line {number:,}"), lengths, unknown) for number, line in _rows(path)]


def _rows(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with _open_text(path) as file:
            for number, line in enumerate(file, 1):
                words = line.split(maxsplit=1)
                if words and not words[0].startswith("#") and words[0] not in ("track", "browser"):
                    yield number, line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise BedError(f"{path} is not a text file; give a BED file, plain or gzipped") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BedError(f"{path} is damaged: its gzip data cannot be unpacked; fetch it again") from error
    except OSError as error:
        raise BedError(f"{path} cannot be read ({error.strerror}); check the path of the BED file") from error


def _open_text(path: Path) -> IO[str]:
    with path.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    if gzipped:
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


def _parse_row(line: str, where: str) -> tuple[Region, str]:
    columns = line.split("\t") if "\t" in line else line.split()
    if len(columns) < 3:
        raise BedError(f"{where}: {len(columns)} of at least 3 columns; write record, start and end between tabs")
    contig, start, end = columns[0], _position(columns[1], where), _position(columns[2], where)
    if start > end:
        raise BedError(f"{where}: start {start:,} lies after end {end:,}; swap them")
    return Region(contig, start, end), (columns[3].strip() if len(columns) > 3 else "") or "."


def _position(text: str, where: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit()):
        raise BedError(f"{where}: {text!r} is not a position; write whole numbers from 0, and # before a header line")
    return int(digits)
