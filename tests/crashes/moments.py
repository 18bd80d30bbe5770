"""Death between any two system calls that change names or sync: one run, copied before each of them.

A copy holds what a SIGKILL at that moment would leave. What a power cut would leave is worked out from what was synced
until then: names, or contents, or both, as they were when they were last synced.
"""

import functools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from crash_scenes import SCENES, Scene
from left_behind import PARTS, check_unfinished
from stage import Stage

CALLS = ("replace", "rename", "unlink", "remove", "mkdir", "rmdir", "fsync", "posix_fallocate")
WAYS = ("killed", "contents as synced", "names and contents as synced")
JOURNAL = "journal.json"


class Recorder:
    """Copies a folder before every system call of a process that it is installed in.

    Args:
        folder: what is copied.
        copies: where to; a folder a copy.
        commit_only: copy while the outputs are put in place, and not before.
    """

    def __init__(self, folder: Path, copies: Path, *, commit_only: bool) -> None:
        self._folder, self._copies, self._commit_only = folder, copies, commit_only
        self._number, self._busy = 0, False
        self._synced: dict[tuple[int, int], bytes] = {}
        self._names: dict[str, dict[str, tuple[int, int]]] = {}
        self._alive: dict[tuple[int, int], int] = {}

    def install(self) -> None:
        """Watch this process from now on."""
        # What stands there at the beginning is on the disk.
        for path in self._folder.iterdir():
            with path.open("rb") as file:
                self._keep(file.fileno())
        self._names["."] = self._listing(".")
        for name in CALLS:
            setattr(os, name, self._watched(name, getattr(os, name)))

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def watched(*arguments: Any, **options: Any) -> Any:
            if self._busy:
                return call(*arguments, **options)
            self._busy = True
            try:
                if not self._commit_only or (self._folder / PARTS / JOURNAL).exists():
                    self._copy(name)
                result = call(*arguments, **options)
                if name == "fsync":
                    self._remember(arguments[0])
                return result
            finally:
                self._busy = False

        return watched

    def _remember(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if not path.is_relative_to(self._folder):
            return
        if path.is_dir():
            folder = str(path.relative_to(self._folder))
            self._names[folder] = self._listing(folder)
        else:
            self._keep(descriptor)

    def _keep(self, descriptor: int) -> None:
        found = os.stat(descriptor)
        self._synced[found.st_dev, found.st_ino] = Path(f"/proc/self/fd/{descriptor}").read_bytes()

    def _listing(self, folder: str) -> dict[str, tuple[int, int]]:
        """Names of files to what identifies them; each is held open, so that nothing else gets its identity."""
        names = {}
        for path in (self._folder / folder).iterdir():
            if path.is_file():
                found = path.stat()
                identity = names[path.name] = (found.st_dev, found.st_ino)
                if identity not in self._alive:
                    self._alive[identity] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return names

    def _copy(self, call: str) -> None:
        at = self._copies / f"{self._number:04d}-{call}"
        self._number += 1
        shutil.copytree(self._folder, at / WAYS[0])
        folders = [folder for folder in (".", PARTS) if (self._folder / folder).is_dir()]
        now = {folder: self._listing(folder) for folder in folders}
        self._lay_out(at / WAYS[1], now)
        # The name of the folder of unfinished work is of no account while nothing in it was synced.
        self._lay_out(at / WAYS[2], {folder: self._names.get(folder, {}) for folder in folders})

    def _lay_out(self, to: Path, names: dict[str, dict[str, tuple[int, int]]]) -> None:
        for folder, files in names.items():
            (to / folder).mkdir(parents=True, exist_ok=True)
            for name, identity in files.items():
                (to / folder / name).write_bytes(self._synced.get(identity, b""))


def die_at_every_moment(stage: Stage, scenes: int, *, commit_only: bool) -> Iterator[tuple[str, Callable[[], int]]]:
    """Yield what is done and a function that does it: lets a run go on from what it would have left at one moment."""
    for scene in SCENES[:scenes]:
        reference = stage.reference(scene)
        folder = stage.folder(reference.older_folder)
        copies = folder.with_name(f"{folder.name}.moments")
        copies.mkdir()
        ended = stage.start(scene, folder, prepare=Recorder(folder, copies, commit_only=commit_only).install).wait()
        if ended.status != 0:
            raise RuntimeError(f"the run that is recorded ended with {ended.status}: {ended.stderr}")
        stage.clear(folder)
        for moment in sorted(copies.iterdir()):
            for way in WAYS:
                yield f"{way} before {moment.name} of {scene.name}", _resumes(stage, scene, moment / way)
        stage.clear(copies)


def _resumes(stage: Stage, scene: Scene, folder: Path) -> Callable[[], int]:
    def resumes() -> int:
        reference = stage.reference(scene)
        check_unfinished(folder, reference.wanted, reference.older)
        stage.resume(scene, folder)
        return 1

    return resumes
