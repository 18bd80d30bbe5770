"""Lines of a text file that a lab hands over: plain or gzipped, from a path or a pipe, each byte read once."""

import gzip
import hashlib
import io
import os
import stat
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from pgf_cli.genome.errors import GenomeError
from pgf_cli.inputs import InputFile, identity_of

MOST_LINES = 5_000_000
MOST_CHARACTERS = 1 << 30
LONGEST_LINE = 1 << 20
"""Characters. Together they bound memory and time also for what unpacks to a thousand times its size."""

_STDIN = Path("-")
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_PATIENCE = 1.0
"""Seconds to wait for somebody to write to a pipe."""


class LineReader:
    """Reads a text file line by line, in bounded memory.

    Bytes that are not UTF-8 come as lone surrogates (`surrogateescape`), so that they match no name; a byte order mark
    is skipped.

    Args:
        path: the file, a pipe, or `-` for standard input.
        what: what it should be, as the message should call it: "a BED file".
        error: the class of error to raise.
    """

    def __init__(self, path: Path, what: str, error: type[GenomeError]) -> None:
        self.path, self._what, self._error = path, what, error
        self._raw: _Hashed | None = None

    def __iter__(self) -> Iterator[tuple[int, str]]:
        """Yield each line, without its end, with its number from 1.

        Raises:
            GenomeError: of the class given: the file cannot be read, is damaged, not text, or larger than is read.
        """
        try:
            with _open(self.path) as file:
                self._raw = raw = _Hashed(file)
                yield from self._lines(raw)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._error(f"{self.path} is damaged: its gzip data cannot be unpacked; fetch it again") from error
        except OSError as error:
            raise self._error(
                f"{self.path} cannot be read ({error.strerror or error}); check the path of the {self._kind}"
            ) from error
        except ValueError as error:
            if isinstance(error, GenomeError):
                raise
            raise self._error(f"{str(self.path)!r} is no path of a file ({error})") from error

    @property
    def file(self) -> InputFile:
        """What was read, once all lines have been."""
        if self._raw is None:
            raise ValueError("nothing has been read yet")
        return InputFile(self.path, self._raw.bytes, self._raw.digest.hexdigest(), self._raw.identity)

    @property
    def _kind(self) -> str:
        return self._what.removeprefix("a ")

    def _lines(self, raw: "_Hashed") -> Iterator[tuple[int, str]]:
        buffered = io.BufferedReader(raw)
        start = buffered.peek(2)[:2]
        if start in _UTF_16_MARKS:
            raise self._error(f"{self.path} is not a text file in UTF-8 but in UTF-16; save it as plain text")
        unpacked = gzip.GzipFile(fileobj=buffered) if start == b"\x1f\x8b" else buffered
        text = io.TextIOWrapper(cast(Any, unpacked), encoding="utf-8-sig", errors="surrogateescape")
        number = characters = 0
        while line := text.readline(LONGEST_LINE + 1):
            number, characters = number + 1, characters + len(line)
            if "\0" in line:
                raise self._error(
                    f"{self.path} is not a text file: line {number:,} has a NUL character; give {self._what}, plain or "
                    "gzipped"
                )
            if len(line) > LONGEST_LINE:
                raise self._error(f"{self.path}, line {number:,}: longer than {LONGEST_LINE:,} characters")
            if number > MOST_LINES or characters > MOST_CHARACTERS:
                raise self._error(
                    f"{self.path} is larger than is read: {MOST_LINES:,} lines and {MOST_CHARACTERS:,} characters; "
                    "merge overlapping rows, or give it in parts"
                )
            yield number, line.rstrip("\r\n")


class _Hashed(io.RawIOBase):
    """Passes on a file's bytes and keeps their number and hash."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.bytes = 0
        regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        self.identity = identity_of(file.fileno()) if regular else None
        self._waits = not regular

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill as much of the buffer as there is."""
        count = self._file.readinto(buffer) or 0
        self.digest.update(memoryview(buffer)[:count])
        self.bytes += count
        return count


def _open(path: Path) -> io.FileIO:
    if path == _STDIN:
        # Not closed at the end: others may ask for it again, and find it at its end.
        return io.FileIO(sys.stdin.fileno(), closefd=False)
    # Without O_NONBLOCK a pipe that nobody writes to would be waited for until somebody does.
    file = io.FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
        _await_writer(file)
    os.set_blocking(file.fileno(), True)
    return file
