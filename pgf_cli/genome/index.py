"""Open a FASTA through its index; build the index where there is none, or where it no longer fits the file.

Any number of processes may do so at once: an index is written aside and renamed when complete.
"""

import gzip
import hashlib
import os
import struct
import time
import zlib
from bisect import bisect_right
from collections.abc import Iterable
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pyfaidx
from Bio import bgzf

from pgf_cli.genome.errors import FastaAccessError, FastaError
from pgf_cli.genome.faidx import FaiRow, scan
from pgf_cli.genome.source import is_bgzf

_LONGEST_HEADER = 1 << 20
_LONGEST_TAIL = 4096
_SECOND = 1_000_000_000
_UNUSABLE = (OSError, ValueError, ZeroDivisionError, struct.error, zlib.error)


class _Place(NamedTuple):
    """The files of one index: record positions, and for BGZF the positions of its blocks."""

    fai: Path
    gzi: Path


def open_indexed(path: Path) -> pyfaidx.Fasta:
    """Open a FASTA, plain or BGZF, with an index that fits it.

    The index is looked for, and built, beside the FASTA; where that folder cannot be written, in the user's cache
    folder (`$XDG_CACHE_HOME` or `~/.cache`, then `pgf-sensitivity/indexes`).

    Returns:
        A `pyfaidx.Fasta` that gives raw strings, with one file handle: for one process and one thread.

    Raises:
        FastaAccessError: the file cannot be read, or no index can be written.
        FastaError: it is empty, not FASTA, in another compression, damaged, or cannot be read by position.
    """
    compressed = is_bgzf(path)
    places = _places(path)
    for place in places:
        if (fasta := _open_with(path, place, compressed)) is not None:
            return fasta
    failure = "no folder to write to"
    for place in places:
        try:
            _build(path, place, compressed)
        except OSError as error:
            failure = f"{place.fai.parent}: {error.strerror or error}"
            continue
        if (fasta := _open_with(path, place, compressed)) is not None:
            return fasta
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


def _open_with(path: Path, place: _Place, compressed: bool) -> pyfaidx.Fasta | None:
    """Open the FASTA with the index at `place`; None if there is none or it does not fit the file."""
    try:
        modified = path.stat().st_mtime_ns
        if any(file.stat().st_mtime_ns < modified for file in (place if compressed else (place.fai,))):
            return None
        fasta = pyfaidx.Fasta(
            str(path), str(place.fai), as_raw=True, rebuild=False, build_index=False, gzi_indexname=str(place.gzi)
        )
    except _UNUSABLE:
        return None
    try:
        fits = _fits(fasta.faidx)
    except _UNUSABLE:
        fits = False
    if not fits:
        fasta.close()
        return None
    if compressed:
        fasta.faidx.gzi_index = [_Block(*block) for block in fasta.faidx.gzi_index]
    return fasta


class _Block(pyfaidx.BgzfBlock):  # type: ignore[misc]
    """A BGZF block that pyfaidx also finds by its very first byte.

    pyfaidx bisects for the last block that starts before a position. At a block's first byte that gives the block
    before, at an offset of its whole length, and in a full block (65,536 bytes) that is not valid. Hence `<=`.
    """

    __slots__ = ()

    def __lt__(self, position: int) -> bool:
        return bool(self.ustart <= position)


def _fits(faidx: pyfaidx.Faidx) -> bool:
    """Check that every record's bases end where the next one's header stands, and the last one's at the file's end.

    Beyond stale indexes this finds those that other programs wrote for a file which they read differently: samtools
    leaves out records with a name that it has seen, pyfaidx miscounts where a last line is too long.
    """
    end = 0
    for name, row in faidx.index.items():
        if not 0 < row.offset - end <= _LONGEST_HEADER:
            return False
        between = _raw_bytes(faidx, end, row.offset)
        lines = between.strip().split(b"\n")
        headers = [line for line in lines if line.startswith(b">")]
        if headers != lines[-1:] or headers[0][1:].split(maxsplit=1)[:1] != [name.encode()]:
            return False
        if not between.endswith(b"\n") or (end and not between.startswith((b"\n", b"\r"))):
            return False
        # The line end after the last base; without bases, the header's.
        end = row.offset - 1
        if row.rlen:
            end += 1 + row.rlen + (ceil(row.rlen / row.lenc) - 1) * (row.lenb - row.lenc)
    tail = _raw_bytes(faidx, end - 1, end + _LONGEST_TAIL) if end else b""
    return bool(tail) and not tail[1:].strip()


def _raw_bytes(faidx: pyfaidx.Faidx, start: int, end: int) -> bytes:
    """Read bytes [start, end) of the uncompressed file, line ends included, through pyfaidx's own handle."""
    blocks = getattr(faidx, "gzi_index", None)
    if blocks is None:
        faidx.file.seek(start)
    else:
        block = blocks[bisect_right(blocks, start, key=lambda block: block.ustart) - 1]
        faidx.file.seek(bgzf.make_virtual_offset(block.cstart, start - block.ustart))  # type: ignore[no-untyped-call]
    data: bytes = faidx.file.read(end - start)
    return data


def _build(path: Path, place: _Place, compressed: bool) -> None:
    """Write the index at `place`, complete or not at all."""
    if place.fai.parent != path.parent:
        place.fai.parent.mkdir(parents=True, exist_ok=True)
    modified = path.stat().st_mtime_ns
    with TemporaryDirectory(prefix=".pgf-index-", dir=place.fai.parent) as scratch:
        fai, gzi = Path(scratch, "fai"), Path(scratch, "gzi")
        if compressed:
            gzi.write_bytes(_gzi(path))
        with gzip.open(path) if compressed else path.open("rb") as text:
            fai.write_text(_fai(scan(text, path)))  # type: ignore[arg-type]
        if path.stat().st_mtime_ns != modified:
            raise FastaError(f"{path} changed while it was being indexed; run again when it is complete")
        for written, final in ((gzi, place.gzi), (fai, place.fai)) if compressed else ((fai, place.fai),):
            if modified > time.time_ns():
                # A file from a machine whose clock is ahead would make every index look stale.
                os.utime(written, ns=(modified + _SECOND, modified + _SECOND))
            written.replace(final)


def _fai(rows: Iterable[FaiRow]) -> str:
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


def _gzi(path: Path) -> bytes:
    """List the BGZF blocks in htslib's layout: their number, then each one's place in the file and in the text.

    The first block (at 0, 0) and the empty one at the end are left out. Source: htslib, bgzf.c, bgzf_index_dump.
    """
    try:
        with path.open("rb") as file:
            *blocks, last = bgzf.BgzfBlocks(file)  # type: ignore[no-untyped-call]
    except (ValueError, struct.error, zlib.error) as error:
        raise FastaError(f"{path} is damaged: a BGZF block cannot be unpacked; fetch or compress it again") from error
    if last[3]:
        raise FastaError(f"{path} lacks the BGZF end mark, so it may be cut short; fetch or compress it again")
    listed = blocks[1:]
    return struct.pack("<Q", len(listed)) + b"".join(struct.pack("<QQ", block[0], block[2]) for block in listed)
