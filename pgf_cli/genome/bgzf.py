"""BGZF, the gzip in blocks that can be read by position: its blocks, their index, and the text in them.

Source: SAM specification 4.1; the index is htslib's (bgzf.c, bgzf_index_dump).
"""

import io
import os
import struct
import zlib
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from pgf_cli.genome.source import read_at

LARGEST_BLOCK = 1 << 16
_KEPT_BLOCKS = 8
_MAGIC = b"\x1f\x8b\x08\x04"


class DamagedBlockError(ValueError):
    """A block cannot be unpacked; the message says where it begins, and the caller adds in which file."""

    def __init__(self, at: int, what: str) -> None:
        super().__init__(f"the BGZF block at byte {at:,} {what}")


class Place(NamedTuple):
    """Where a block begins: in the compressed file, and in the text."""

    in_file: int
    in_text: int


class BlockText:
    """The text of a BGZF file by position.

    Args:
        file: the open file.
        places: of its blocks, sorted, the first at (0, 0).
    """

    def __init__(self, file: io.FileIO, places: Sequence[Place]) -> None:
        self._file, self._places = file, places
        self._block = lru_cache(_KEPT_BLOCKS)(self._read)

    def read(self, start: int, end: int) -> bytes:
        """Read bytes [start, end) of the text; fewer where it ends.

        Raises:
            DamagedBlockError: a block there cannot be unpacked, or is not as long as the index says.
            OSError: the file cannot be read.
        """
        index = max(0, bisect_right(self._places, start, key=lambda place: place.in_text) - 1)
        parts = []
        while index < len(self._places) and (at := self._places[index].in_text) < end:
            parts.append(self._block(index)[max(0, start - at) : end - at])
            index += 1
        return b"".join(parts)

    def _read(self, index: int) -> bytes:
        place = self._places[index]
        text, _ = unpack_block(self._file, place.in_file)
        if index + 1 < len(self._places) and len(text) != self._places[index + 1].in_text - place.in_text:
            raise DamagedBlockError(place.in_file, "is not as long as the index says")
        return text


class EndMarkError(ValueError):
    """A file does not end in the empty block that every BGZF file ends in."""


class BlockScanner(io.RawIOBase):
    """A BGZF file's text from its first byte on, every block checked.

    Reading raises DamagedBlockError, EndMarkError or OSError.

    Args:
        file: the open file.

    Attributes:
        places: of the blocks read so far; at the end of all, the end mark included.
    """

    def __init__(self, file: io.FileIO) -> None:
        self._file, self._size = file, os.fstat(file.fileno()).st_size
        self._at = self._text_at = 0
        self._left = memoryview(b"")
        self.places: list[Place] = []

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill as much of the buffer as the block has left."""
        while not self._left and self._at < self._size:
            text, length = unpack_block(self._file, self._at)
            self.places.append(Place(self._at, self._text_at))
            self._at += length
            self._text_at += len(text)
            self._left = memoryview(text)
        if not self._left and self.places[-1].in_text < self._text_at:
            raise EndMarkError
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._left))
        target[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def unpack_block(file: io.FileIO, at: int) -> tuple[bytes, int]:
    """Return the text of the block that begins at a byte of the file, and the block's compressed length.

    Raises:
        DamagedBlockError: there is no whole block, or its checksum is wrong.
        OSError: the file cannot be read.
    """
    raw = read_at(file, at, at + LARGEST_BLOCK)
    length = _block_length(raw)
    if length is None:
        raise DamagedBlockError(at, "does not begin as one")
    if length > len(raw):
        raise DamagedBlockError(at, "is cut short")
    begin = 12 + int.from_bytes(raw[10:12], "little")
    checksum, size = struct.unpack_from("<II", raw, length - 8)
    try:
        text = zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw[begin : length - 8], LARGEST_BLOCK + 1)
    except zlib.error as error:
        raise DamagedBlockError(at, "cannot be unpacked") from error
    if len(text) != size or zlib.crc32(text) != checksum:
        raise DamagedBlockError(at, "does not match its checksum")
    return text, length


def _block_length(raw: bytes) -> int | None:
    """The length that a block's extra field gives; None where there is no such field."""
    if len(raw) < 12 or not raw.startswith(_MAGIC):
        return None
    at, end = 12, 12 + int.from_bytes(raw[10:12], "little")
    while at + 4 <= min(end, len(raw)):
        size = int.from_bytes(raw[at + 2 : at + 4], "little")
        if raw[at : at + 2] == b"BC" and size == 2 and at + 6 <= len(raw):
            length = int.from_bytes(raw[at + 4 : at + 6], "little") + 1
            return length if length >= end + 8 else None
        at += 4 + size
    return None


def pack_index(places: Sequence[Place]) -> bytes:
    """Return the blocks' places in htslib's layout: their number, then each one's place in the file and in the text.

    The first block, which is at (0, 0), and the end mark are left out.
    """
    listed = places[1:-1]
    return struct.pack("<Q", len(listed)) + b"".join(struct.pack("<QQ", *place) for place in listed)


def unpack_index(raw: bytes) -> list[Place]:
    """Return the places of all blocks that an index lists, and of the first.

    Raises:
        ValueError: it is none.
    """
    if len(raw) < 8 or len(raw) != 8 + 16 * int.from_bytes(raw[:8], "little"):
        raise ValueError("not a .gzi index")
    places = [Place(0, 0), *(Place(*pair) for pair in struct.iter_unpack("<QQ", raw[8:]))]
    if any(one.in_file >= two.in_file or one.in_text > two.in_text for one, two in pairwise(places)):
        raise ValueError("blocks out of order")
    return places
