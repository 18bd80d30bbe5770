"""Space and content that are on the disk when it is said so."""

import errno
import os
from pathlib import Path

from pgf_cli.tracks.disk import translate_os_errors

# As C libraries answer that do not write zeros instead.
_CANNOT_CLAIM = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


def allocate(file: int, size: int) -> None:
    """Make an open file so many bytes long and claim its space on the disk now, so that it cannot run out later.

    Where the file system cannot claim space, the file gets its length alone.

    Raises:
        OSError: there is not so much.
    """
    if size and hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file, 0, size)
        except OSError as error:
            if error.errno not in _CANNOT_CLAIM:
                raise
    os.ftruncate(file, size)


def sync_file(path: Path) -> None:
    """See to it that a file's content survives a power cut.

    Raises:
        WriteError: the disk refuses.
    """
    with translate_os_errors(path), path.open("r+b") as file:
        os.fsync(file.fileno())
