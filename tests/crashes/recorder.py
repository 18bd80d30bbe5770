"""What a death at any moment would leave of a folder: copies of it, made before every call that changes names or syncs.

Three of each moment: as a SIGKILL leaves it; and as a power cut may, with contents as they were when they were last
synced, and either the names that stand there then, or those that were there when their folder was last synced.
"""

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

CALLS = ("replace", "rename", "link", "unlink", "remove", "mkdir", "rmdir", "fsync", "posix_fallocate")
KILLED, UNSYNCED_CONTENTS, UNSYNCED_NAMES = "killed", "contents as synced", "contents and names as synced"
WAYS = (KILLED, UNSYNCED_CONTENTS, UNSYNCED_NAMES)


class Identity(NamedTuple):
    """What tells a file or folder from any other, whatever its name is."""

    st_dev: int
    st_ino: int


Names = Mapping[str, Identity]
"""Of a folder."""


class Recorder:
    """Copies a folder before every call of the process that it is installed in.

    Args:
        folder: what is copied.
        copies: an empty folder; it gets a folder for each moment, and in that one for each of ``WAYS``.
    """

    def __init__(self, folder: Path, copies: Path) -> None:
        self._folder, self._copies = folder, copies
        self._number, self._busy = 0, False
        self._synced_contents: dict[Identity, bytes] = {}
        self._synced_names: dict[Identity, Names] = {}
        self._open: dict[Identity, int] = {}

    def install(self) -> None:
        """Watch this process from now on; what stands in the folder already counts as synced."""
        now = self._names_now()
        for folder, names in now.items():
            self._synced_names[folder] = names
            files = [identity for identity in names.values() if identity not in now]
            self._synced_contents |= {identity: self._content_now(identity) for identity in files}
        for name in CALLS:
            setattr(os, name, self._watched(name, getattr(os, name)))

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def watched(*arguments: Any, **options: Any) -> Any:
            if self._busy:
                return call(*arguments, **options)
            self._busy = True
            try:
                self._copy(name)
                result = call(*arguments, **options)
                if name == "fsync":
                    self._remember(arguments[0])
                return result
            finally:
                self._busy = False

        return watched

    def _remember(self, descriptor: int) -> None:
        now, identity = self._names_now(), _identity(os.stat(descriptor))
        if identity in now:
            self._synced_names[identity] = now[identity]
        elif identity in self._open:
            self._synced_contents[identity] = self._content_now(identity)

    def _names_now(self) -> dict[Identity, Names]:
        names: dict[Identity, Names] = {}
        for at, folders, files in os.walk(self._folder):
            names[self._held(Path(at))] = {name: self._held(Path(at, name)) for name in (*folders, *files)}
        return names

    def _held(self, path: Path) -> Identity:
        """Identify a file or folder; it is kept open, so that no other gets its identity when it is removed."""
        identity = _identity(path.stat())
        if identity not in self._open:
            self._open[identity] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return identity

    def _content_now(self, identity: Identity) -> bytes:
        descriptor = self._open[identity]
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0)

    def _content_synced(self, identity: Identity) -> bytes:
        return self._synced_contents.get(identity, b"")

    def _copy(self, call: str) -> None:
        at = self._copies / f"{self._number:04d} {call}"
        at.mkdir()
        self._number += 1
        now = self._names_now()
        self._lay_out(at / KILLED, now, self._content_now)
        self._lay_out(at / UNSYNCED_CONTENTS, now, self._content_synced)
        folders = {identity: self._synced_names.get(identity, {}) for identity in {**self._synced_names, **now}}
        self._lay_out(at / UNSYNCED_NAMES, folders, self._content_synced)

    def _lay_out(self, to: Path, folders: Mapping[Identity, Names], content: Callable[[Identity], bytes]) -> None:
        placed: dict[Identity, Path] = {}

        def lay_out(to: Path, folder: Identity) -> None:
            to.mkdir()
            for name, identity in folders[folder].items():
                if identity in folders:
                    lay_out(to / name, identity)
                elif identity in placed:
                    (to / name).hardlink_to(placed[identity])
                else:
                    placed[identity] = to / name
                    placed[identity].write_bytes(content(identity))

        lay_out(to, self._held(self._folder))


def _identity(found: os.stat_result) -> Identity:
    return Identity(found.st_dev, found.st_ino)
