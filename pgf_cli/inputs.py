"""Files that are read: each only if it is a regular file, and with the hash of the bytes that were read."""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple, TypeVar

from pgf_cli.errors import PgfError

T = TypeVar("T")

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class InputError(PgfError, OSError):
    """A file cannot be read, is not a file, is larger than its kind can be, or changed while it was read."""


class Identity(NamedTuple):
    """What tells whether a path still holds the file that was read."""

    st_dev: int
    st_ino: int
    st_size: int
    st_mtime_ns: int


@dataclass(frozen=True)
class InputFile:
    """A file as it was when it was read."""

    path: Path
    bytes: int
    sha256: str
    """Of the bytes that were read."""
    identity: Identity | None
    """None for a pipe, which is read once and leaves nothing that could change."""

    def changed(self) -> bool:
        """Whether the path no longer holds that file: another one, other bytes, or none."""
        return self.identity is not None and is_other(self.path, self.identity)


class Inputs:
    """The files that one reading takes, in the order of their reading."""

    def __init__(self) -> None:
        self._files: list[InputFile] = []

    @property
    def files(self) -> tuple[InputFile, ...]:
        """Every file that was read whole."""
        return tuple(self._files)

    def read(self, path: Path, limit: int) -> bytes:
        """Read a small file.

        Args:
            path: a regular file, or a link to one.
            limit: bytes that a file of this kind can have at most.

        Raises:
            InputError: as the class says.
        """
        file = open_regular(path)
        with file:
            identity = identity_of(file.fileno())
            if identity.st_size > limit:
                raise InputError(
                    f"{path} has {identity.st_size:,} bytes, where a file of its kind has at most {limit:,}; "
                    "it is another file, or damaged: get it again."
                )
            data = _reading(path, lambda: file.read(limit + 1))
            self._keep(path, file, len(data), hashlib.sha256(data).hexdigest(), identity)
        return data

    @contextmanager
    def opened(self, path: Path) -> Iterator[BufferedReader]:
        """Open a large file; when it was read without an error, hash it and check that it stayed the same meanwhile.

        The hash is taken from the same open file, so that renaming another over its path changes nothing.

        Raises:
            InputError: as the class says.
        """
        file = open_regular(path)
        with file:
            identity = identity_of(file.fileno())
            yield file
            file.seek(0)
            digest = _reading(path, lambda: hashlib.file_digest(file, "sha256").hexdigest())
            self._keep(path, file, file.tell(), digest, identity)

    def _keep(self, path: Path, file: BufferedReader, size: int, sha256: str, identity: Identity) -> None:
        if size != identity.st_size or identity_of(file.fileno()) != identity:
            raise InputError(f"{path} changed while it was being read; run again when it is complete.")
        self._files.append(InputFile(path, size, sha256, identity))


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading; a pipe, which would wait for a writer for ever, a device or a folder is refused.

    Raises:
        InputError: it is none, or cannot be opened.
    """
    try:
        # Without O_NONBLOCK opening a pipe waits.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        what = "is a socket, not a file" if error.errno == errno.ENXIO else f"cannot be read: {error.strerror}"
        raise InputError(f"{path} {what}.") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = next((name for test, name in _KINDS if test(mode)), "something else")
        raise InputError(f"{path} is {kind}, not a file; save its content as a file first.")
    return open(descriptor, "rb")  # noqa: PTH123  it is open already


def identity_of(path: Path | int) -> Identity:
    """Return what tells a file, or an open descriptor's, from any other and from itself after it was written to.

    Raises:
        OSError: there is no such file.
    """
    found = os.stat(path)  # noqa: PTH116  a descriptor has no path
    return Identity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def is_other(path: Path, identity: Identity) -> bool:
    """Whether a path no longer leads to the file that had this identity, unchanged."""
    try:
        return identity_of(path) != identity
    except OSError:
        return True


def hashed(path: Path, identity: Identity) -> InputFile:
    """Return the hash of a file that is being read from, once it is certain that it is still the one that was opened.

    Args:
        path: the file.
        identity: as it was when it was opened.

    Raises:
        InputError: it is another file now, or changed.
    """
    with open_regular(path) as file:
        digest = _reading(path, lambda: hashlib.file_digest(file, "sha256").hexdigest())
        if identity_of(file.fileno()) != identity:
            raise InputError(f"{path} changed while it was being read; run again when it is complete.")
        return InputFile(path, file.tell(), digest, identity)


def _reading(path: Path, read: Callable[[], T]) -> T:
    try:
        return read()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
