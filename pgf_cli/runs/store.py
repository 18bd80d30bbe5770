"""A run's parts in its folder, and what they depend on: a run goes on only from parts of the same run."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pgf_cli.atomic import write_atomically
from pgf_cli.errors import PgfError
from pgf_cli.runs.groups import Layout
from pgf_cli.runs.parts import Part
from pgf_cli.tracks.disk import translate_os_errors
from pgf_cli.tracks.folder import RunFolder

KEY = "key.json"

Key = Mapping[str, str]
"""Everything that decides the values, in words, by what it is called to people."""


class UnfinishedRunError(PgfError, FileExistsError):
    """An unfinished run is there, and nothing was said of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} holds an unfinished run; go on with it with --resume, or start again with --force.")


class OtherRunError(PgfError, ValueError):
    """The unfinished run that is there is not this one."""

    def __init__(self, folder: Path, differences: Sequence[str]) -> None:
        super().__init__(
            f"{folder} holds an unfinished run that differs from this one: {'; '.join(differences)}. "
            "Give the same again to go on with it, or --force to start anew."
        )


class PartStore:
    """Makes parts and vouches for them.

    Args:
        folder: the run's.
        key: what its values depend on.
        durable: whether every part is to be saved: there are several.

    Attributes:
        kept: whether there is work in the folder that a later run can go on from.
    """

    def __init__(self, folder: RunFolder, key: Key, *, durable: bool) -> None:
        self._folder, self._key, self.durable = folder, key, durable
        self.kept = False

    def settle(self, *, resume: bool, force: bool) -> bool:
        """Decide what becomes of a dead run's work; return whether this run goes on from it.

        Raises:
            UnfinishedRunError: there is some, and neither ``resume`` nor ``force``.
            OtherRunError: it is another run's, and ``resume``.
        """
        self.kept = check_unfinished(self._folder.path, self._key, resume=resume, force=force)
        if not self.kept:
            self._folder.clear()
        return self.kept

    def keep(self) -> None:
        """From now on the folder outlives this process."""
        if not self.kept:
            text = json.dumps(dict(self._key), indent=2) + "\n"
            with translate_os_errors(self._folder.path / KEY):
                write_atomically(self._folder.path / KEY, lambda file: file.write(text.encode()))
            self.kept = self._folder.kept = True

    def part(self, name: str, columns: Sequence[str], dtype: np.dtype[Any], layout: Layout) -> Part:
        """Return one of the run's parts."""
        receipt = json.dumps([sorted(self._key.items()), name, columns, dtype.str, layout.size])
        return Part(self._folder.path, name, columns, dtype, layout, hashlib.sha256(receipt.encode()).hexdigest())


def check_unfinished(folder: Path, key: Key, *, resume: bool, force: bool) -> bool:
    """Return whether a run can go on from what is in a folder; False where nothing is, or it is to be cleared.

    Raises:
        UnfinishedRunError: there is an unfinished run, and neither ``resume`` nor ``force``.
        OtherRunError: it is another one, and ``resume``.
    """
    found = _read_key(folder / KEY)
    if found is None or (force and not resume):
        return False
    if not resume:
        raise UnfinishedRunError(folder)
    if differences := _differences(found, key):
        raise OtherRunError(folder, differences)
    return True


def _read_key(path: Path) -> Key | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _differences(old: Key, new: Key) -> list[str]:
    """What differs, in words."""
    return [
        f"{name} was {old.get(name, 'not there')}, is {new.get(name, 'not there')}"
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    ]
