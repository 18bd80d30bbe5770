"""Whether outputs can be written, seen before anything is computed."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from pgf_cli.errors import PgfError
from pgf_cli.interrupts import held
from pgf_cli.tracks.estimates import readable_bytes


class OutputFolderError(PgfError, OSError):
    """The folder that outputs go to is missing, is no folder, or cannot be written."""

    def __init__(self, folder: Path, what: str) -> None:
        super().__init__(f"output folder {folder.absolute()} {what} or name another with --output.")


class OutputExistsError(PgfError, FileExistsError):
    """An output is already there."""

    def __init__(self, path: Path) -> None:
        remedy = "it is a folder: move it away" if path.is_dir() else "replace it with --force"
        super().__init__(f"{path} exists already; {remedy}, or choose another name with --output.")


class DiskSpaceError(PgfError, OSError):
    """The outputs would not fit on the disk."""

    def __init__(self, folder: Path, expected: int, free: int) -> None:
        super().__init__(
            f"{folder.absolute()} has {readable_bytes(free)} free and the output will take about "
            f"{readable_bytes(expected)}; free some space, write fewer or smaller formats (--format), "
            "or name another folder with --output."
        )


def make_folder(folder: Path) -> None:
    """Make a folder for outputs, and those above it, where they are missing.

    Raises:
        OutputFolderError: it cannot be made, or is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OutputFolderError(folder, "is a file; remove it") from error
    except OSError as error:
        raise OutputFolderError(folder, f"cannot be made ({error.strerror or error}); make it yourself") from error


def check_outputs(
    finals: Iterable[Path], *, force: bool, expected_bytes: int, to_make: Path | None = None, room: Path | None = None
) -> None:
    """See before computing that files can be written, by creating each under its temporary name and removing it.

    Args:
        finals: the files that a run will write.
        force: whether existing files may be replaced.
        expected_bytes: what they will take together; asked of every folder among theirs.
        to_make: a folder that ``make_folder`` will make; while it is missing the one above it is asked.
        room: a folder beside the files where their names are tried, so that a process that is killed while it tries
            one leaves nothing among the outputs; None: where they will be.

    Raises:
        OutputFolderError: a folder does not exist, is no folder, or refuses files of these names.
        OutputExistsError: a file exists and `force` is not given, or a folder has its name.
        DiskSpaceError: too little space is free.
    """
    finals = list(finals)
    folders = list(dict.fromkeys(final.parent for final in finals))
    if to_make is not None and not os.path.lexists(to_make):
        # It will be empty; whether it can be made is all that can be seen.
        folders, finals = [_check_makeable(to_make)], []
    for folder in folders:
        _check_folder(folder)
        free = shutil.disk_usage(folder).free
        if free < expected_bytes:
            raise DiskSpaceError(folder, expected_bytes, free)
    for final in finals:
        check_free(final, force=force)
        probe = (room or final.parent) / f"{final.name}.{os.getpid()}.partial"
        try:
            # A signal between the two would leave the file.
            with held():
                probe.touch()
                probe.unlink()
        except OSError as error:
            what = f"cannot take {final.name} ({error.strerror or error}); make it writable"
            raise OutputFolderError(final.parent, what) from error


def _check_makeable(folder: Path) -> Path:
    """Return the nearest folder above one that is missing, after seeing that it takes new ones."""
    above = next(parent for parent in folder.absolute().parents if os.path.lexists(parent))
    if above.is_dir() and not os.access(above, os.W_OK | os.X_OK):
        raise OutputFolderError(folder, f"cannot be made, for {above} is not writable; make that writable")
    return above


def _check_folder(folder: Path) -> None:
    if not folder.exists():
        raise OutputFolderError(folder, "does not exist; create it (mkdir -p)")
    if not folder.is_dir():
        raise OutputFolderError(folder, "is a file; remove it")


def check_free(final: Path, *, force: bool) -> None:
    """Raise OutputExistsError where a file may not be put."""
    # A dangling link exists too, and a folder cannot be replaced by a file.
    if final.is_dir() or (os.path.lexists(final) and not force):
        raise OutputExistsError(final)
