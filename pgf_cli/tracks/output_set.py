"""A run's output files: written in its folder, then put in place together, whatever happens meanwhile.

Putting in place is all or nothing. First a journal says, on the disk, which file goes where; from then on whoever comes
next, after a kill or a power cut, does what is left of it before anything else. The old manifest goes first and the new
one comes last: while no manifest stands at the prefix, what stands there is not a finished run.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pgf_cli.atomic import sync_folder, write_atomically
from pgf_cli.errors import PgfError
from pgf_cli.interrupts import held
from pgf_cli.tracks.disk import translate_os_errors
from pgf_cli.tracks.durable import sync_file
from pgf_cli.tracks.folder import RunFolder
from pgf_cli.tracks.manifest import ManifestError, read_manifest
from pgf_cli.tracks.staging import check_free

JOURNAL = "journal.json"


class JournalError(PgfError, ValueError):
    """The journal of a run that died while it put its files in place cannot be followed."""


@dataclass(frozen=True)
class Journal:
    """What is to be put in place."""

    files: list[tuple[str, str]]
    """Name in the run's folder and name beside it, the manifest's last."""
    obsolete: list[str]
    """Names beside the folder of an earlier run's files that this run does not write."""
    spent: list[str]
    """Names in the folder of what is of no use once the files are in place."""


class OutputSet:
    """The files of one run until they are put in place.

    Args:
        folder: the run's own; the files go beside it.
        force: whether existing files may be replaced.
    """

    def __init__(self, folder: RunFolder, *, force: bool) -> None:
        self._folder, self._force = folder, force
        self._staged: dict[Path, Path] = {}

    def stage(self, final: Path) -> Path:
        """Return where a file is to be written that will be called ``final``.

        Raises:
            OutputExistsError: it exists and may not be replaced.
        """
        check_free(final, force=self._force)
        # Numbered: nothing in the folder is named like a finished output.
        self._staged[final] = self._folder.path / f"output-{len(self._staged):06d}.partial"
        self._staged[final].unlink(missing_ok=True)
        return self._staged[final]

    def discard(self) -> None:
        """Remove what was written, unless it is about to be put in place."""
        if (self._folder.path / JOURNAL).exists():
            return
        for staged in self._staged.values():
            with contextlib.suppress(OSError):
                staged.unlink(missing_ok=True)

    def commit(self, manifest: Path, spent: Iterable[str] = ()) -> None:
        """Put all files in place, the manifest last; signals wait until it is done. Then the folder is of no more use.

        Args:
            manifest: the manifest's final path.
            spent: names in the folder of what must not outlive the commit.

        Raises:
            OutputExistsError: a file appeared meanwhile and may not be replaced; nothing was changed.
            WriteError: the disk refuses.
        """
        for final, staged in self._staged.items():
            check_free(final, force=self._force)
            sync_file(staged)
        finals = sorted(self._staged, key=lambda final: final == manifest)
        journal = Journal(
            [(self._staged[final].name, final.name) for final in finals],
            sorted(_outputs_of_earlier_run(manifest) - {final.name for final in finals}),
            list(spent),
        )
        text = json.dumps(asdict(journal), indent=2) + "\n"
        with held():
            with translate_os_errors(self._folder.path / JOURNAL):
                sync_folder(self._folder.path)
                write_atomically(self._folder.path / JOURNAL, lambda file: file.write(text.encode()))
            # From here on the folder holds what must not be lost: it stays whatever happens.
            self._folder.kept = True
            _follow(self._folder.path, journal)
            self._folder.kept = False


def finish_commit(run_folder: RunFolder) -> list[str]:
    """Do what a dead run left undone of putting its files in place; return their names, or nothing without a journal.

    Raises:
        JournalError: the journal is damaged.
        WriteError: the disk refuses.
    """
    folder = run_folder.path
    path = folder / JOURNAL
    try:
        found = json.loads(path.read_bytes())
        files = [_names(pair) for pair in found["files"]]
        journal = Journal(files, *([_name(name) for name in found[kind]] for kind in ("obsolete", "spent")))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        run_folder.kept = True
        raise JournalError(f"{path} is damaged; remove the folder {folder} and run again with --force") from error
    with held():
        run_folder.kept = True
        _follow(folder, journal)
        run_folder.kept = False
    return [name for _, name in journal.files]


def _follow(folder: Path, journal: Journal) -> None:
    beside = folder.parent
    manifest = journal.files[-1]
    if (folder / manifest[0]).exists():
        with translate_os_errors(beside / manifest[1]):
            (beside / manifest[1]).unlink(missing_ok=True)
            sync_folder(beside)
        # All old files go before the first new one comes: at no moment do files of two runs stand side by side.
        waiting = [name for staged, name in journal.files[:-1] if (folder / staged).exists()]
        for name in [*waiting, *journal.obsolete]:
            with translate_os_errors(beside / name):
                (beside / name).unlink(missing_ok=True)
        _move(folder, journal.files[:-1])
        sync_folder(beside)
        _move(folder, [manifest])
        sync_folder(beside)
    for name in journal.spent:
        (folder / name).unlink(missing_ok=True)
    (folder / JOURNAL).unlink(missing_ok=True)
    sync_folder(folder)


def _move(folder: Path, files: Sequence[tuple[str, str]]) -> None:
    for staged, name in files:
        final = folder.parent / name
        with translate_os_errors(final), contextlib.suppress(FileNotFoundError):
            # Not there any more: an earlier attempt moved it.
            os.replace(folder / staged, final)  # noqa: PTH105  as the system calls it


def _outputs_of_earlier_run(manifest: Path) -> set[str]:
    """Names of the files that an earlier run put here: what this run does not write would be mistaken for its own."""
    try:
        earlier = read_manifest(manifest)
    except ManifestError:
        return set()
    return {name for entry in earlier.outputs if (name := entry.path) == Path(name).name and name not in ("", "..")}


def _names(pair: Iterable[str]) -> tuple[str, str]:
    staged, final = pair
    return _name(staged), _name(final)


def _name(name: str) -> str:
    if Path(name).name != name:
        raise ValueError(f"{name} is no file name")
    return name
