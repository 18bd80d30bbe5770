"""Lines of a text file that a lab hands over: plain or gzipped, from a path or a pipe, each byte read once."""

import errno
import gzip
import hashlib
import io
import os
import select
import stat
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from pgf_cli.genome.errors import GenomeError
from pgf_cli.inputs import InputFile, identity_of

MOST_LINES = 10_000_000
MOST_CHARACTERS = 1 << 32
LONGEST_LINE = 1 << 20
"""Characters. Together they bound memory and time also for what unpacks to a thousand times its size."""
PATIENCE_SECONDS = 1.0
"""How long a pipe that nobody writes to is waited for."""

_STDIN = Path("-")
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_POLL_SECONDS = 0.02


class LineReader:
    """Reads a text file line by line, in bounded memory.

    Bytes that are not UTF-8 come as lone surrogates (`surrogateescape`); a byte order mark is skipped.

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
            with _opened(self.path) as file:
                self._raw = _Hashed(file)
                yield from self._lines(self._raw)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._error(f"{self.path} is damaged: its gzip data cannot be unpacked; fetch it again") from error
        except GenomeError:
            raise
        except OSError as error:
            raise self._error(
                f"{self.path} cannot be read ({error.strerror or error}); check the path of the "
                f"{self._what.removeprefix('a ')}"
            ) from error
        except ValueError as error:  # of os.open: a NUL in the path
            raise self._error(f"{str(self.path)!r} is no path of a file ({error})") from error

    @property
    def file(self) -> InputFile:
        """What was read, once all lines have been: the number and hash of the bytes, compressed where the file is.

        Raises:
            ValueError: nothing has been read.
        """
        if self._raw is None:
            raise ValueError(f"{self.path} has not been read yet")
        return self._raw.as_input(self.path)

    def _lines(self, raw: "_Hashed") -> Iterator[tuple[int, str]]:
        buffered = io.BufferedReader(raw)
        start = buffered.peek(2)[:2]
        if start in _UTF_16_MARKS:
            raise self._error(f"{self.path} is UTF-16 text; save it as plain text: iconv -f UTF-16 -t UTF-8")
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
                raise self._error(
                    f"{self.path} is no such file: line {number:,} has more than {LONGEST_LINE:,} characters; "
                    f"give {self._what}, plain or gzipped"
                )
            if number > MOST_LINES or characters > MOST_CHARACTERS:
                raise self._error(
                    f"{self.path} is larger than is read, {MOST_LINES:,} lines and {MOST_CHARACTERS:,} characters; "
                    "give it in parts"
                )
            yield number, line.rstrip("\r\n")


class _Hashed(io.RawIOBase):
    """Passes on a file's bytes and keeps their number and hash."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._bytes = 0
        regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        self._identity = identity_of(file.fileno()) if regular else None

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill as much of the buffer as there is, waiting for a pipe's writer."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        # None: the pipe is empty but has a writer. 0 before the first byte: perhaps the writer is still to come.
        while not (count := self._file.readinto(buffer)):
            if count is None:
                select.select([self._file], [], [])
            elif self._identity is None and not self._bytes and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
            else:
                return 0
        self._digest.update(memoryview(buffer)[:count])
        self._bytes += count
        return count

    def as_input(self, path: Path) -> InputFile:
        return InputFile(path, self._bytes, self._digest.hexdigest(), self._identity)


@contextmanager
def _opened(path: Path) -> Iterator[io.FileIO]:
    if path == _STDIN:
        if sys.stdin is None:
            raise OSError(errno.EBADF, "standard input is closed")
        # Not closed at the end: others may ask for it again, and find it at its end.
        yield io.FileIO(sys.stdin.fileno(), closefd=False)
        return
    # Without O_NONBLOCK a pipe that nobody writes to would be waited for until somebody does.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield io.FileIO(descriptor, closefd=False)
    finally:
        os.close(descriptor)
