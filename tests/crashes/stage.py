"""A folder per run, and what each scene's outputs are when nothing happens to it."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from crash_scenes import PREFIX, Scene, write_fasta
from forked_runs import Ended, ForkedRun
from left_behind import PARTS, Outputs, check_finished, read_outputs

Steps = Iterator[tuple[str, Callable[[], int]]]
"""What is done, in words, and a function that does it and returns how often."""


class Reference(NamedTuple):
    """A scene's outputs when nothing happens to it, and how long that takes."""

    wanted: Outputs
    older: Outputs | None
    older_folder: Path | None
    seconds: float
    """From the moment that it begins to write."""
    largest: int
    """Bytes of its largest file."""


class Stage:
    """Where scenes are played.

    Args:
        root: an empty folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._fasta = write_fasta(root / "genome.fa")
        self._numbers = itertools.count()
        self._references: dict[str, Reference] = {}

    def reference(self, scene: Scene) -> Reference:
        """Return a scene's outputs; they are computed when they are asked for first."""
        if scene.name not in self._references:
            older_folder = None
            if scene.older is not None:
                older_folder = self._new_folder()
                _succeeded(ForkedRun(scene.older_arguments(self._fasta), older_folder, PARTS).wait())
            folder = self.folder(older_folder)
            ended = self.start(scene, folder).wait()
            _succeeded(ended)
            wanted = read_outputs(folder)
            self._references[scene.name] = Reference(
                wanted,
                read_outputs(older_folder) if older_folder else None,
                older_folder,
                ended.seconds,
                max(map(len, wanted.files.values())),
            )
            shutil.rmtree(folder)
        return self._references[scene.name]

    def folder(self, older: Path | None) -> Path:
        """Return a new folder, with an older run's outputs in it if there are some."""
        folder = self._new_folder()
        self.copy(older, folder)
        return folder

    def copy(self, older: Path | None, folder: Path) -> None:
        """Put an older run's outputs in a folder, if there are some; make it if it is not there."""
        folder.mkdir(exist_ok=True)
        if older is not None:
            shutil.copytree(older, folder, dirs_exist_ok=True)

    def start(
        self, scene: Scene, folder: Path, *, resume: bool = False, prepare: Callable[[], None] = lambda: None
    ) -> ForkedRun:
        """Start a scene's run."""
        return ForkedRun(scene.arguments(self._fasta, resume=resume), folder, PARTS, prepare, self._root)

    def resume(self, scene: Scene, folder: Path) -> None:
        """Let a run go on undisturbed and see that its outputs are those of a run that nothing happened to.

        Raises:
            AssertionError: they are not.
        """
        ended = self.start(scene, folder, resume=True).wait()
        assert ended.status == 0, f"--resume ended with {ended.status}: {ended.stderr}"
        check_finished(folder, self.reference(scene).wanted)

    def clear(self, folder: Path) -> None:
        """Remove a folder."""
        shutil.rmtree(folder)

    def _new_folder(self) -> Path:
        folder = self._root / f"{PREFIX}-{next(self._numbers):05d}"
        folder.mkdir()
        return folder


def _succeeded(ended: Ended) -> None:
    if ended.status != 0:
        raise RuntimeError(f"a run that nothing happened to ended with {ended.status}: {ended.stderr}")
