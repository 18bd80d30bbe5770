"""``PREFIX.parts/``: everything that a run has not finished, held by one process at a time.

The lock is the system's own (flock): it ends with the process, however that ends, so a folder whose lock is free is a
dead run's. A folder that has things in it and no lock's file is none of ours, and nothing in it is touched.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from pgf_cli.atomic import sync_folder
from pgf_cli.errors import PgfError
from pgf_cli.interrupts import held
from pgf_cli.tracks.disk import translate_os_errors
from pgf_cli.tracks.staging import OutputFolderError

SUFFIX = ".parts"
LOCK = "pgf-sensitivity.lock"
_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
# Each is lost to another process that removes the folder at that very moment.
_ATTEMPTS = 1000


class RunningError(PgfError, BlockingIOError):
    """Another process writes to the same prefix."""

    def __init__(self, prefix: Path) -> None:
        super().__init__(f"another run is writing to {prefix} now; wait for it, or choose another name with --output.")


class RunFolder:
    """The folder of one prefix while this process holds it; made by `hold`.

    Attributes:
        path: the folder.
        kept: whether it holds work that a later run can go on from; else it goes when the block ends. True at first
            where anything is in it: what a dead run left is not lost to an error of the next.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path, self._lock = path, lock
        self.kept = any(entry.name != LOCK for entry in path.iterdir())

    @classmethod
    @contextlib.contextmanager
    def hold(cls, prefix: Path) -> Iterator["RunFolder"]:
        """Make the folder of a prefix, or take over that of a dead run, and let go of it when the block ends.

        Raises:
            RunningError: a living run holds it.
            OutputFolderError: it cannot be made, or something else has its name.
            WriteError: the disk refuses.
        """
        folder = None
        try:
            # No signal may leave it made and held by nobody.
            with held():
                folder = cls._taken(prefix)
            yield folder
        finally:
            if folder is not None:
                with held():
                    folder._let_go()

    @classmethod
    def _taken(cls, prefix: Path) -> "RunFolder":
        path = parts_folder(prefix)
        if not path.parent.is_dir():
            raise OutputFolderError(path.parent, "does not exist; create it (mkdir -p)")
        with translate_os_errors(path):
            try:
                for _ in range(_ATTEMPTS):
                    lock = _locked(path, prefix)
                    if lock is not None:
                        # What will be kept in it must not be lost with its name.
                        sync_folder(path.parent)
                        return cls(path, lock)
            except OSError as error:
                if error.errno not in _FORBIDDEN:
                    raise
                what = f"cannot take {path.name} ({error.strerror}); make it writable"
                raise OutputFolderError(path.parent, what) from error
        raise RunningError(prefix)

    def clear(self, but: Collection[str] = ()) -> None:
        """Remove everything in it but the lock, and what is named.

        Raises:
            WriteError: the disk refuses.
        """
        for entry in self.path.iterdir():
            if entry.name != LOCK and entry.name not in but:
                with translate_os_errors(entry):
                    shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        self.kept = False

    def _let_go(self) -> None:
        kept = self.kept
        if not kept:
            with contextlib.suppress(OSError):
                self.clear()
                # From an empty folder alone, and while it is locked: who waits for the lock sees that its file is gone.
                (self.path / LOCK).unlink()
        os.close(self._lock)
        if not kept:
            # On NFS an open file that was removed is still there under another name; by now it is closed.
            with contextlib.suppress(OSError):
                self.path.rmdir()


def check_not_held(prefix: Path) -> None:
    """See that no living run writes to a prefix, without touching anything.

    Raises:
        RunningError: one does.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        lock = os.open(parts_folder(prefix) / LOCK, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunningError(prefix) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS_HERE:
                raise
        finally:
            os.close(lock)


def parts_folder(prefix: Path) -> Path:
    """Return where the unfinished work of a prefix is."""
    return prefix.with_name(prefix.name + SUFFIX)


def _locked(path: Path, prefix: Path) -> int | None:
    """Return the lock's open file; None where its last holder removed it meanwhile."""
    try:
        _make(path)
        _check_ours(path)
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Some file systems have no locks: there two runs on one prefix are the user's to keep apart.
        if error.errno not in _NO_LOCKS_HERE:
            os.close(lock)
            raise (RunningError(prefix) if isinstance(error, BlockingIOError) else error) from None
    if _is_still(lock, path / LOCK):
        return lock
    os.close(lock)
    return None


def _make(path: Path) -> None:
    try:
        path.mkdir(exist_ok=True)
    except FileExistsError:
        # Also where it was a folder, and was removed before anybody looked.
        if not stat.S_ISDIR(path.lstat().st_mode):
            raise OutputFolderError(path.parent, f"has another file called {path.name}; move it away") from None


def _check_ours(path: Path) -> None:
    """See that a folder is empty or a run's, and where outputs can be moved from without being copied."""
    if path.stat().st_dev != path.parent.stat().st_dev:
        raise OutputFolderError(path.parent, f"has {path.name} on another disk; move it away")
    # In this order: a holder removes its lock's file from an empty folder alone.
    if not (path / LOCK).exists():
        names = {entry.name for entry in path.iterdir()}
        if names and LOCK not in names:
            what = f"has another folder called {path.name}, which is no unfinished run's; move it away"
            raise OutputFolderError(path.parent, what)


def _is_still(lock: int, path: Path) -> bool:
    """Whether the file that was locked is the one that the name leads to: its last holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except FileNotFoundError:
        return False
