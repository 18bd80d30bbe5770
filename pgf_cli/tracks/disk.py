"""The one error for whatever a disk refuses, and writes that are never cut short."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgf_cli.errors import PgfError

_REMEDIES = {
    errno.EMFILE: "raise the number of files that a process may have open (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine; try again later",
    errno.ENAMETOOLONG: "choose a shorter one",
    errno.EFBIG: "raise the size that a file may have (ulimit -f)",
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "make it writable"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "its folder has gone; create it (mkdir -p)"),
}
# Some libraries do not say why; a full disk is the likeliest.
_LIKELIEST_REMEDY = "free some space there"


class WriteError(PgfError, OSError):
    """The system refused to write a file that the run had begun."""

    def __init__(self, path: Path, error: OSError) -> None:
        reason = error.strerror or str(error)
        remedy = _REMEDIES.get(error.errno or 0, _LIKELIEST_REMEDY)
        super().__init__(f"cannot write {path}: {reason}; {remedy}, or name another folder with --output.")


@contextmanager
def translate_os_errors(path: Path) -> Iterator[None]:
    """Turn whatever the system says while `path` is written into a WriteError."""
    try:
        yield
    except PgfError:
        # Ours, and says more: some are OSErrors too.
        raise
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
