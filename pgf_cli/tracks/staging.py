"""All of a run's files appear together when they are complete, or none does."""

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from pgf_cli.errors import PgfError
from pgf_cli.tracks.disk import WriteError, translate_os_errors
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
            f"{readable_bytes(expected)}; free some space, write fewer or smaller formats (--format bigwig), "
            "or name another folder with --output."
        )


def check_outputs(finals: Iterable[Path], *, force: bool, expected_bytes: int) -> None:
    """See before computing that files can be written, by creating each under its temporary name and removing it.

    Args:
        finals: the files that a run will write.
        force: whether existing files may be replaced.
        expected_bytes: what they will take together; asked of every folder among theirs.

    Raises:
        OutputFolderError: a folder does not exist, is no folder, or refuses files of these names.
        OutputExistsError: a file exists and `force` is not given, or a folder has its name.
        DiskSpaceError: too little space is free.
    """
    finals = list(finals)
    for folder in dict.fromkeys(final.parent for final in finals):
        _check_folder(folder)
        free = shutil.disk_usage(folder).free
        if free < expected_bytes:
            raise DiskSpaceError(folder, expected_bytes, free)
    for final in finals:
        _check_free(final, force=force)
        try:
            _reserve(final).unlink()
        except OSError as error:
            what = f"cannot take {final.name} ({error.strerror or error}); make it writable"
            raise OutputFolderError(final.parent, what) from error


class StagedFiles:
    """Outputs under temporary names (`NAME.PID.partial`, same folder) until all are complete.

    Leaving the block without an exception flushes every file to the disk and renames them in the order added; leaving
    it with one, KeyboardInterrupt included, removes them all and renames none. Without `force` a file that appeared
    under a final name in the meantime is not replaced, and this run's are taken back.

    Args:
        force: whether existing files may be replaced.
    """

    def __init__(self, *, force: bool) -> None:
        self._force = force
        self._staged: dict[Path, Path] = {}

    def add(self, final: Path) -> Path:
        """Create an empty file that will be called `final`, and return the name it has until then.

        Raises:
            OutputExistsError: `final` exists and may not be replaced.
            WriteError: the file cannot be created.
        """
        _check_free(final, force=self._force)
        with translate_os_errors(final):
            self._staged[final] = _reserve(final)
        return self._staged[final]

    def __enter__(self) -> "StagedFiles":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._commit()
        finally:
            for temporary in self._staged.values():
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)

    def _commit(self) -> None:
        for final, temporary in self._staged.items():
            _check_free(final, force=self._force)
            with translate_os_errors(final), temporary.open("r+b") as file:
                os.fsync(file.fileno())
        placed: list[Path] = []
        try:
            for final, temporary in self._staged.items():
                _place(temporary, final, force=self._force)
                placed.append(final)
        except BaseException:
            # With force the files replaced are gone already; what is in place then stays.
            for final in [] if self._force else placed:
                final.unlink(missing_ok=True)
            raise


def _check_folder(folder: Path) -> None:
    if not folder.exists():
        raise OutputFolderError(folder, "does not exist; create it (mkdir -p)")
    if not folder.is_dir():
        raise OutputFolderError(folder, "is a file; remove it")


def _check_free(final: Path, *, force: bool) -> None:
    # A dangling link exists too, and a folder cannot be replaced by a file.
    if final.is_dir() or (os.path.lexists(final) and not force):
        raise OutputExistsError(final)


def _reserve(final: Path) -> Path:
    """Create the temporary file; in containers processes share numbers, so another one may have its name already."""
    attempt, again = 0, ""
    while True:
        temporary = final.with_name(f"{final.name}.{os.getpid()}{again}.partial")
        try:
            temporary.touch(exist_ok=False)
        except FileExistsError:
            attempt += 1
            again = f"-{attempt}"
        else:
            return temporary


def _place(temporary: Path, final: Path, *, force: bool) -> None:
    """Give a complete file its final name; without force only if the name is free, in one step where links exist."""
    if not force:
        try:
            os.link(temporary, final)
        except FileExistsError:
            raise OutputExistsError(final) from None
        except OSError:
            # No hard links on this file system: look first, then rename.
            _check_free(final, force=False)
        else:
            return
    try:
        temporary.replace(final)
    except OSError as error:
        raise WriteError(final, error) from error
