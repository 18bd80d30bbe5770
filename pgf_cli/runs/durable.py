"""Writing that survives: all of it or an error, and on the disk when it is said to be."""

import os
from pathlib import Path


from pgf_cli.tracks.textfile import translate_os_errors


def write_at(file: int, data: bytes | memoryview, offset: int) -> None:
    """Write all bytes at a place of a file; the system may take fewer at a time.

    Raises:
        OSError: it takes no more.
    """
    left = memoryview(data).cast("B")
    while left:
        written = os.pwrite(file, left, offset)
        left, offset = left[written:], offset + written


def read_at(file: int, count: int, offset: int) -> bytes:
    """Read exactly so many bytes from a place of a file.

    Raises:
        EOFError: the file ends before.
    """
    pieces = []
    while count:
        piece = os.pread(file, count, offset)
        if not piece:
            raise EOFError(f"the file ends at byte {offset:,}")
        pieces.append(piece)
        count, offset = count - len(piece), offset + len(piece)
    return b"".join(pieces)


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


def sync_folder(folder: Path) -> None:
    """See to it that renames in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """See to it that a file's content survives a power cut.

    Raises:
        WriteError: the disk refuses.
    """
    with translate_os_errors(path), path.open("r+b") as file:
        os.fsync(file.fileno())


