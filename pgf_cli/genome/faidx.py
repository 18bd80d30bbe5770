"""Where each FASTA record lies: one pass over the text, in memory that no line length can raise.

The layout is that of samtools' `.fai` files. Other programs' own indexes are not trusted blindly: samtools leaves out
records with a name that it has seen, others let a last line pass that is longer than the rest and then read it wrong.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pgf_cli.genome.errors import FastaError
from pgf_cli.genome.names import LONGEST_NAME, quoted

LONGEST_HEADER = 1 << 20
"""Bytes from a record's last base to the next one's first: header, comments and blank lines."""
MOST_RECORDS = 5_000_000
"""Each is kept in memory, a few hundred bytes of it."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PIECE = 1 << 20
_LARGEST_NUMBER = 1 << 62
_LINE_END = re.compile(rb"\r?\n\Z")


class FaiRow(NamedTuple):
    """One line of a `.fai` file: lengths in bases or bytes, the offset in uncompressed bytes from the file's start.

    Source: faidx(5) of samtools.
    """

    name: str
    length: int
    offset: int
    line_bases: int
    line_bytes: int

    def byte_of(self, position: int) -> int:
        """Return where a base stands, in uncompressed bytes from the file's start."""
        lines, in_line = divmod(position, self.line_bases)
        return self.offset + lines * self.line_bytes + in_line


def pack_rows(rows: Iterable[FaiRow]) -> bytes:
    """Return the content of a `.fai` file."""
    return "".join("\t".join(map(str, row)) + "\n" for row in rows).encode()


def unpack_rows(raw: bytes) -> dict[str, FaiRow]:
    """Return the rows of a `.fai` file by name.

    Raises:
        ValueError: it is none, or has a name twice.
    """
    rows = {}
    for line in raw.removesuffix(b"\n").split(b"\n"):
        name, *numbers = line.removesuffix(b"\r").split(b"\t", 5)
        if len(numbers) != 4:
            raise ValueError("not a .fai index")
        row = FaiRow(name.decode(), *map(int, numbers))
        if row.name in rows or not all(0 <= number < _LARGEST_NUMBER for number in row[1:]):
            raise ValueError("not a .fai index")
        if row.length and not 0 < row.line_bases <= row.line_bytes:
            raise ValueError("not a .fai index")
        rows[row.name] = row
    return rows


class _Line(NamedTuple):
    number: int
    end: int
    head: bytes
    width: int
    size: int


class _Layout:
    """Line lengths of the record being read: all alike, but for a shorter last one and blank lines after it."""

    def __init__(self, name: str, header: _Line) -> None:
        self.name, self.header = name, header
        self.length = self.line_bases = self.line_bytes = 0
        self.ended = False
        self.bases_end = header.end

    def add(self, line: _Line) -> bool:
        """Take the record's next line; False if a record with this line cannot be read by position."""
        if line.width and (self.ended or (self.line_bases and line.width > self.line_bases)):
            return False
        if line.width and not self.line_bases:
            self.line_bases, self.line_bytes = line.width, line.size
        self.ended = (line.width, line.size) != (self.line_bases, self.line_bytes)
        self.length += line.width
        if line.width:
            self.bases_end = line.end
        return True

    def row(self) -> FaiRow:
        return FaiRow(self.name, self.length, self.header.end, self.line_bases, self.line_bytes)


def scan(text: BinaryIO, path: Path) -> list[FaiRow]:
    """Find every record of a FASTA.

    Args:
        text: the uncompressed file, from its first byte.
        path: its name, for errors.

    Returns:
        One row per record in file order; the name is the header's first word.

    Raises:
        FastaError: no record, text before the first header, a header without a name or too long, a name used twice or
            with characters that cannot be shown, too many records, or lines of different lengths within a record; says
            the line.
    """
    rows: list[FaiRow] = []
    headers: dict[str, int] = {}
    record: _Layout | None = None
    for line in _lines(text):
        if line.head.startswith(b">"):
            name = _name(line, path)
            if name in headers:
                raise FastaError(
                    f"{path} has two records named {name!r}, in lines {headers[name]:,} and {line.number:,}; "
                    "rename or remove one (seqkit rename, seqkit rmdup)"
                )
            _check_length(line, record.bases_end if record else 0, path)
            if record:
                rows.append(record.row())
            headers[name] = line.number
            record = _Layout(name, line)
            if len(headers) > MOST_RECORDS:
                raise FastaError(
                    f"{path} has more than {MOST_RECORDS:,} records, as files of sequencing reads do; give an assembly"
                )
        elif record:
            if not record.add(line):
                raise FastaError(
                    f"{path}, line {line.number:,}: lines of record {record.name!r} differ in length, so bases "
                    f"cannot be looked up by position; re-wrap it: seqkit seq -w 60 {path.name} > rewrapped.fa"
                )
        elif line.width and not line.head.startswith(b";"):
            raise FastaError(
                f"{path} is not FASTA: line {line.number:,} comes before any '>' header; give a FASTA file"
            )
    if record is None:
        raise FastaError(f"{path} is not FASTA: it has no '>' header line; give a FASTA file")
    return [*rows, record.row()]


def _lines(text: BinaryIO) -> Iterator[_Line]:
    """Read lines piece by piece; `head` is at most the first piece, `width` leaves out the line end."""
    number = end = 0
    while piece := text.readline(_PIECE):
        head, size, tail = piece, len(piece), piece[-2:]
        while not piece.endswith(b"\n") and (piece := text.readline(_PIECE)):
            size += len(piece)
            tail = (tail + piece)[-2:]
        if number == 0:
            head = head.removeprefix(BYTE_ORDER_MARK)
        number, end = number + 1, end + size
        line_end = _LINE_END.search(tail)
        yield _Line(number, end, head, size - (len(line_end[0]) if line_end else 0), size)


def _name(header: _Line, path: Path) -> str:
    where = f"{path}, line {header.number:,}"
    if b"\r" in header.head.rstrip(b"\r\n"):
        raise FastaError(f"{where}: lines end in a bare carriage return (old Mac); convert them: tr '\\r' '\\n'")
    if header.size == header.width:
        raise FastaError(f"{where}: the file ends within a header, so it looks cut short; fetch it again")
    words = header.head[1:].split(maxsplit=1)
    if not words:
        raise FastaError(f"{where}: a header without a name; write the record's name after '>'")
    try:
        name = words[0].decode()
    except UnicodeDecodeError as error:
        raise FastaError(f"{where}: the record's name is not UTF-8 text; rename it in plain ASCII") from error
    if len(words[0]) > LONGEST_NAME:
        raise FastaError(
            f"{where}: the record's name, the header's first word, has {len(words[0]):,} bytes; "
            f"shorten it to {LONGEST_NAME:,} or fewer"
        )
    if not name.isprintable():
        raise FastaError(
            f"{where}: the record's name {quoted(name)} has control or invisible characters; rename it in plain ASCII"
        )
    return name


def _check_length(header: _Line, bases_end: int, path: Path) -> None:
    if header.size > LONGEST_HEADER:
        raise FastaError(
            f"{path}, line {header.number:,}: a header of {header.size:,} bytes; shorten it to {LONGEST_HEADER:,} or "
            "fewer (only its first word counts, as the record's name)"
        )
    if header.end - bases_end > LONGEST_HEADER:
        raise FastaError(
            f"{path}, line {header.number:,}: more than {LONGEST_HEADER:,} bytes of comments and blank lines before "
            "this header; remove them"
        )
