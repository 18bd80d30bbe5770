"""A run's output files: written in its folder, then put in place together, whatever happens meanwhile.

Putting in place is all or nothing. First a journal says, on the disk, which file goes where; from then on whoever comes
next, after a kill or a power cut, does what is left of it before anything else. The old manifest goes first and the new
one comes last: while no manifest stands at the prefix, what stands there is not a finished run. The journal itself goes
when nothing else is left in the folder.
"""

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from pgf_cli.atomic import sync_folder, write_atomically
from pgf_cli.errors import PgfError
from pgf_cli.interrupts import held
from pgf_cli.tracks.disk import translate_os_errors
from pgf_cli.tracks.durable import sync_file
from pgf_cli.tracks.folder import RunFolder
from pgf_cli.tracks.manifest import MANIFEST_SUFFIX, ManifestError
from pgf_cli.tracks.run_files import is_plain_name, open_manifest
from pgf_cli.tracks.staging import check_free
from pgf_cli.tracks.verification import state_of

JOURNAL = "journal.json"
OUTPUTS = "outputs"


class JournalError(PgfError, ValueError):
    """The journal of a run that died while it put its files in place cannot be followed."""


class AppearedError(PgfError, FileExistsError):
    """A file took an output's name while outputs were put in place."""

    def __init__(self, final: Path) -> None:
        super().__init__(
            f"{final} appeared while this run's files were put in place, and is not replaced; move it away and give "
            "the same command again: all else is done."
        )


@dataclass(frozen=True)
class Journal:
    """What is to be put in place."""

    files: list[tuple[str, str]]
    """Name among the folder's outputs and name beside the folder, the manifest's last."""
    obsolete: list[str]
    """Names beside the folder of an earlier run's files that this run does not write."""
    force: bool
    """Whether what is there may be replaced."""


class OutputSet:
    """The files of one run until they are put in place.

    Args:
        folder: the run's own, without a journal (see `finish_commit`); the files go beside it.
        force: whether existing files may be replaced.

    Attributes:
        in_place: whether all of them are.

    Raises:
        WriteError: the disk refuses.
    """

    def __init__(self, folder: RunFolder, *, force: bool) -> None:
        self._folder, self._force = folder, force
        self._staged: dict[Path, Path] = {}
        self._room = folder.path / OUTPUTS
        self._committed = self.in_place = False
        with translate_os_errors(self._room):
            if self._room.exists():
                # A dead run's.
                shutil.rmtree(self._room)
            self._room.mkdir()

    def stage(self, final: Path) -> Path:
        """Return where a file is to be written that will be called ``final``.

        Raises:
            OutputExistsError: it exists and may not be replaced.
        """
        if final.parent != self._folder.path.parent:
            raise ValueError(f"{final} is not beside {self._folder.path}")
        check_free(final, force=self._force)
        # Numbered: nothing in the folder is named like a finished output.
        self._staged[final] = self._room / f"{len(self._staged):06d}.partial"
        return self._staged[final]

    def discard(self) -> None:
        """Remove what was written, unless it is about to be put in place."""
        if not self._committed:
            shutil.rmtree(self._room, ignore_errors=True)

    def commit(self, manifest: Path) -> None:
        """Put all files in place, the manifest last; signals wait until it is done. Then the folder is empty.

        Args:
            manifest: the manifest's final path.

        Raises:
            OutputExistsError: a file is there that may not be replaced; nothing was changed.
            AppearedError: one appeared meanwhile.
            WriteError: the disk refuses. If that was after the journal was written, the next run goes on from there.
        """
        for final, staged in self._staged.items():
            check_free(final, force=self._force)
            sync_file(staged)
        finals = [*(final for final in self._staged if final != manifest), manifest]
        journal = Journal(
            [(self._staged[final].name, final.name) for final in finals],
            _obsolete(manifest, {final.name for final in finals}) if self._force else [],
            self._force,
        )
        with held():
            self._write(journal)
            _follow(self._folder, journal)
            self.in_place = True

    def _write(self, journal: Journal) -> None:
        path, text = self._folder.path / JOURNAL, json.dumps(asdict(journal), indent=2) + "\n"
        with translate_os_errors(path):
            sync_folder(self._room)
            try:
                write_atomically(path, lambda file: file.write(text.encode()))
                self._committed = self._folder.kept = True
            except BaseException:
                # Renamed, perhaps, but not for certain on the disk.
                path.unlink(missing_ok=True)
                raise


def finish_commit(folder: RunFolder) -> list[str]:
    """Do what a dead run left undone of putting its files in place; return their names, or nothing without a journal.

    Raises:
        JournalError: the journal is damaged, or files that it speaks of are gone.
        AppearedError: a file is in the way.
        WriteError: the disk refuses.
    """
    journal = _read(folder.path)
    if journal is None:
        return []
    with held():
        _follow(folder, journal)
    return [name for _, name in journal.files]


def _follow(folder: RunFolder, journal: Journal) -> None:
    """Do what is left of a journal; doing it twice, or the rest of it, comes to the same."""
    room, beside = folder.path / OUTPUTS, folder.path.parent
    *others, (staged_manifest, manifest) = journal.files
    if (room / staged_manifest).exists():
        if journal.force:
            _remove(beside, [manifest])
            # All old files go before the first new one comes: at no moment do files of two runs stand side by side.
            _remove(beside, [*(name for staged, name in others if (room / staged).exists()), *journal.obsolete])
        for staged, name in others:
            _place(room / staged, beside / name, force=journal.force)
        if gone := [name for _, name in others if not (beside / name).exists()]:
            raise JournalError(
                f"{gone[0]}, which a run that died had written, is gone; remove the folder {folder.path} and run again"
            )
        _sync(beside)
        _place(room / staged_manifest, beside / manifest, force=journal.force)
        _sync(beside)
    # Parts included: what they were kept for is done.
    folder.clear(but=[JOURNAL])
    with translate_os_errors(folder.path / JOURNAL):
        (folder.path / JOURNAL).unlink(missing_ok=True)
    _sync(folder.path)


def _place(staged: Path, final: Path, *, force: bool) -> None:
    """Give a file its name; without force only if the name is free, in one step where there are hard links."""
    if not staged.exists():
        # An earlier attempt moved it.
        return
    with translate_os_errors(final):
        if not force:
            try:
                os.link(staged, final)
            except FileExistsError:
                if not final.samefile(staged):
                    raise AppearedError(final) from None
            except OSError as error:
                # No hard links on this file system: look first, then rename.
                if os.path.lexists(final):
                    raise AppearedError(final) from error
                staged.replace(final)
                return
            staged.unlink()
        else:
            staged.replace(final)


def _remove(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        with translate_os_errors(folder / name):
            (folder / name).unlink(missing_ok=True)
    _sync(folder)


def _sync(folder: Path) -> None:
    with translate_os_errors(folder):
        sync_folder(folder)


def _obsolete(manifest: Path, written: set[str]) -> list[str]:
    """Names of what an earlier run put here and this one does not write: it would be taken for this one's.

    Only what is named after the prefix and still the bytes that the earlier run wrote: anybody can have written a
    manifest, and what was changed since is somebody's work.
    """
    try:
        earlier = open_manifest(manifest)
    except ManifestError:
        return []
    prefix = manifest.name.removesuffix(MANIFEST_SUFFIX) + "."
    entries = [entry for entry in earlier.outputs if entry.path.startswith(prefix) and entry.path not in written]
    return [entry.path for entry in entries if state_of(manifest.with_name(entry.path), entry).state == "ok"]


def _read(folder: Path) -> Journal | None:
    path = folder / JOURNAL
    try:
        found = json.loads(path.read_bytes())
        files = [(_name(staged), _name(final)) for staged, final in found["files"]]
        if not files:
            raise ValueError("no files")
        return Journal(files, [_name(name) for name in found["obsolete"]], bool(found["force"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise JournalError(f"{path} is damaged; remove the folder {folder} and run again with --force") from error


def _name(name: object) -> str:
    if not isinstance(name, str) or not is_plain_name(name):
        raise ValueError(f"{name!r} is no plain name")
    return name
