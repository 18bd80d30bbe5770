"""Space and content that are on the disk when it is said so."""

import os
from pathlib import Path

from pgf_cli.tracks.disk import translate_os_errors


def allocate(file: int, size: int) -> None:
    """Claim a file's space on the disk now, where the file system can, so that it cannot run out later.

    Raises:
        OSError: there is not so much.
    """
    if not size:
        return
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.ftruncate(file, size)


def sync_file(path: Path) -> None:
    """See to it that a file's content survives a power cut.

    Raises:
        WriteError: the disk refuses.
    """
    with translate_os_errors(path), path.open("r+b") as file:
        os.fsync(file.fileno())
