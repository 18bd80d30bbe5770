"""Which bytes of a file were read, so that a manifest vouches for those and a change is noticed."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class InputFile:
    """A file as it was read."""

    path: Path
    bytes: int
    sha256: str
    """Of the bytes that were read, in hex."""
    identity: tuple[int, ...] | None
    """As `identity_of` gave it when the file was opened; None for a pipe, which has none."""

    def changed(self) -> bool:
        """Whether another file stands at the path now, or the same one was written to; False for a pipe."""
        if self.identity is None:
            return False
        try:
            return identity_of(self.path) != self.identity
        except OSError:
            return True


def identity_of(path: Path | int) -> tuple[int, ...]:
    """Return what tells a file from any other and from itself after a change: device, inode, size, and both times.

    Args:
        path: the file, or its open descriptor.

    Raises:
        OSError: there is no such file.
    """
    status = os.stat(path)  # noqa: PTH116  (a descriptor has no path)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
