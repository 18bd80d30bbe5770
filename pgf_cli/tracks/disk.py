"""The one error for whatever a disk refuses, and writes that are never cut short."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgf_cli.errors import PgfError


class WriteError(PgfError, OSError):
    """The system refused to write a file that the run had begun."""

    def __init__(self, path: Path, error: OSError) -> None:
        reason = error.strerror or str(error)
        super().__init__(f"cannot write {path}: {reason}; free some space there or name another folder with --output.")


@contextmanager
def translate_os_errors(path: Path) -> Iterator[None]:
    """Turn whatever the system says while `path` is written into a WriteError."""
    try:
        yield
    except OSError as error:
        raise WriteError(path, error) from error


def write_at(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of `data` at a place of a file, however little the system takes at a time.

    Raises:
        OSError: the disk refuses. A disk that fills first writes less than it was asked to and refuses the next time.
    """
    left = memoryview(data).cast("B")
    while left:
        written = os.pwrite(descriptor, left, offset)
        left, offset = left[written:], offset + written


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """Read `size` bytes from a place of a file, however few the system gives at a time.

    Raises:
        OSError: the file ends before.
    """
    parts = []
    while size:
        part = os.pread(descriptor, size, offset)
        if not part:
            raise OSError(f"the file ends {size:,} bytes early")
        parts.append(part)
        size, offset = size - len(part), offset + len(part)
    return b"".join(parts)
