"""Write-then-rename: a file appears whole or not at all, also where the machine loses power in between."""

import errno
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_counter = itertools.count()
_NO_SYNC = (errno.EINVAL, errno.EACCES, errno.EPERM, errno.ENOTSUP, errno.EBADF)
"""What file systems answer on which a folder cannot be synced."""


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file under a temporary name beside it, sync it, rename it over ``path``, and sync the folder.

    Args:
        path: where the file shall be; a file of that name is replaced.
        write: writes the content to the open file that it is given.

    Raises:
        OSError: the file cannot be written; whatever was at ``path`` is still there, and nothing is left beside it.
    """
    # The name is shortened so that what is added to it does not make it too long.
    part = path.with_name(f".{path.name[:40]}.{os.getpid()}-{next(_counter)}.part")
    try:
        with part.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a loss of power, where its file system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
