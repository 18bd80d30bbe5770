"""Open a FASTA through its index; build the index where there is none, or where it no longer fits the file.

Any number of processes may do so at once: an index is written aside and renamed when complete.
"""

import hashlib
import io
import os
import stat
import time
from functools import partial
from math import ceil
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, cast

from pgf_cli.atomic import write_atomically
from pgf_cli.genome.bgzf import BlockScanner, BlockText, DamagedBlockError, EndMarkError, pack_index, unpack_index
from pgf_cli.genome.errors import FastaAccessError, FastaError
from pgf_cli.genome.faidx import BYTE_ORDER_MARK, LONGEST_HEADER, FaiRow, pack_rows, scan, unpack_rows
from pgf_cli.genome.source import is_bgzf, open_fasta, read_at
from pgf_cli.inputs import Identity, identity_of

_LONGEST_TAIL = 4096
_LARGEST_INDEX = 1 << 30
_SECOND = 1_000_000_000


class Text(Protocol):
    """The uncompressed text of a file, by position."""

    def read(self, start: int, end: int) -> bytes:
        """Read bytes [start, end); fewer where it ends. Raises DamagedBlockError or OSError."""


class PlainText:
    """The text of a file that is not compressed."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file

    def read(self, start: int, end: int) -> bytes:
        """Read bytes [start, end); fewer where the file ends."""
        return read_at(self._file, start, end)


class IndexedFasta(NamedTuple):
    """An open FASTA."""

    file: io.FileIO
    text: Text
    rows: dict[str, FaiRow]
    """By name, in file order."""
    identity: Identity
    """Of the file that was opened, as `identity_of` gives it."""


class _Place(NamedTuple):
    """The files of one index: record positions, and for BGZF the positions of its blocks."""

    fai: Path
    gzi: Path

    def write(self, content: dict[str, bytes], modified: int) -> None:
        """Write the index's files, by their suffix, each complete or not at all.

        Args:
            content: as `_index` gives it.
            modified: when the FASTA was, in nanoseconds.
        """
        self.fai.parent.mkdir(parents=True, exist_ok=True)
        for file in (self.gzi, self.fai):
            if file.suffix in content:
                write_atomically(file, partial(_write, content[file.suffix], modified))


def open_indexed(path: Path) -> IndexedFasta:
    """Open a FASTA, plain or BGZF, with an index that fits it.

    The index is looked for, and built, beside the FASTA; where that folder cannot be written, in the user's cache
    folder (`$XDG_CACHE_HOME` or `~/.cache`, then `pgf-sensitivity/indexes`).

    Raises:
        FastaAccessError: the file cannot be read, or no index can be written.
        FastaError: it is empty, not FASTA, in another compression, damaged, or cannot be read by position.
    """
    file = open_fasta(path)
    try:
        return _indexed(path, file)
    except BaseException:
        file.close()
        raise


def _indexed(path: Path, file: io.FileIO) -> IndexedFasta:
    identity = identity_of(file.fileno())
    compressed = is_bgzf(path, file)
    places = _places(path)
    for place in places:
        if (opened := _open_with(file, place, compressed)) is not None:
            return IndexedFasta(file, *opened, identity)
    content = _index(path, file, compressed)
    modified = os.fstat(file.fileno()).st_mtime_ns
    failure = "no folder to write to"
    for place in places:
        try:
            place.write(content, modified)
        except OSError as error:
            failure = f"{place.fai.parent}: {error.strerror or error}"
            continue
        if identity_of(file.fileno()) == identity and (opened := _open_with(file, place, compressed)) is not None:
            return IndexedFasta(file, *opened, identity)
        raise FastaError(f"{path} changed while it was being indexed; run again when it is complete")
    raise FastaAccessError(
        f"{path} cannot be indexed ({failure}); set XDG_CACHE_HOME to a folder that you can write to"
    )


def _places(path: Path) -> list[_Place]:
    """Where the index may be: beside the FASTA, then in the cache."""
    stems = [path]
    if (cache := _cache_folder()) is not None:
        stems.append(cache / hashlib.sha256(os.fsencode(path.absolute())).hexdigest())
    return [_Place(Path(f"{stem}.fai"), Path(f"{stem}.gzi")) for stem in stems]


def _cache_folder() -> Path | None:
    """Follow the XDG base directory specification, also in that a relative `$XDG_CACHE_HOME` does not count."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        try:
            base = Path.home() / ".cache"
        except RuntimeError:  # a container's user without an entry in its password file
            return None
    return base / "pgf-sensitivity" / "indexes"


def _open_with(file: io.FileIO, place: _Place, compressed: bool) -> tuple[Text, dict[str, FaiRow]] | None:
    """Return the FASTA's text and rows by the index at `place`; None if there is none or it does not fit the file."""
    try:
        modified = os.fstat(file.fileno()).st_mtime_ns
        for index in place if compressed else (place.fai,):
            status = index.stat()
            if status.st_mtime_ns < modified or not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_INDEX:
                return None
        rows = unpack_rows(place.fai.read_bytes())
        text: Text = PlainText(file)
        if compressed:
            text = BlockText(file, unpack_index(place.gzi.read_bytes()))
        return (text, rows) if _fits(text, rows) else None
    except (OSError, ValueError):
        return None


def _fits(text: Text, rows: dict[str, FaiRow]) -> bool:
    """Check that every record's bases end where the next one's header stands, and the last one's at the file's end.

    Beyond stale indexes this finds those that other programs wrote for a file which they read differently.
    """
    end = 0
    for name, row in rows.items():
        # Two bytes more than the scan allows: the line end after the last base.
        if not 0 < row.offset - end <= LONGEST_HEADER + 2 or not name.isprintable():
            return False
        between = text.read(end, row.offset)
        lines = (between if end else between.removeprefix(BYTE_ORDER_MARK)).strip().split(b"\n")
        headers = [line for line in lines if line.startswith(b">")]
        if headers != lines[-1:] or headers[0][1:].split(maxsplit=1)[:1] != [name.encode()]:
            return False
        if not between.endswith(b"\n") or (end and not between.startswith((b"\n", b"\r"))):
            return False
        # The line end after the last base; without bases, the header's.
        end = row.offset - 1
        if row.length:
            end += 1 + row.length + (ceil(row.length / row.line_bases) - 1) * (row.line_bytes - row.line_bases)
    tail = text.read(end - 1, end + _LONGEST_TAIL) if end else b""
    return bool(tail) and not tail[1:].strip()


def _write(content: bytes, modified: int, index: BinaryIO) -> None:
    index.write(content)
    index.flush()
    if modified > time.time_ns():
        # A file from a machine whose clock is ahead would make every index look stale.
        os.utime(index.fileno(), ns=(modified + _SECOND, modified + _SECOND))


def _index(path: Path, file: io.FileIO, compressed: bool) -> dict[str, bytes]:
    """Read the whole FASTA once and return its index's files by their suffix."""
    try:
        if not compressed:
            with open(file.fileno(), "rb", closefd=False) as text:
                text.seek(0)
                return {".fai": pack_rows(scan(text, path))}
        blocks = BlockScanner(file)
        with io.BufferedReader(blocks, 1 << 18) as text:
            rows = scan(cast(BinaryIO, text), path)
            return {".fai": pack_rows(rows), ".gzi": pack_index(blocks.places)}
    except DamagedBlockError as error:
        raise FastaError(f"{path} is damaged: {error}; fetch or compress it again") from error
    except EndMarkError as error:
        raise FastaError(
            f"{path} lacks the BGZF end mark, so it may be cut short; fetch or compress it again"
        ) from error
    except OSError as error:
        raise FastaAccessError(
            f"{path} cannot be read ({error.strerror}); is the disk or its network there?"
        ) from error
