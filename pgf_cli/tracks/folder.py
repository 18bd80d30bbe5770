"""``PREFIX.parts/``: everything that a run has not finished, held by one process at a time.

The lock is the system's own (flock): it ends with the process, however that ends, so a folder whose lock is free is a
dead run's.
"""

import contextlib
import errno
import fcntl
import os
import shutil
from pathlib import Path
from types import TracebackType

from pgf_cli.errors import PgfError
from pgf_cli.tracks.staging import OutputFolderError

SUFFIX = ".parts"
LOCK = "lock"
_NO_LOCKS_HERE = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


class RunningError(PgfError, BlockingIOError):
    """Another process writes to the same prefix."""

    def __init__(self, prefix: Path) -> None:
        super().__init__(f"another run is writing to {prefix} now; wait for it, or choose another name with --output.")


class RunFolder:
    """The folder of one prefix while this process holds it; a context manager, made by `hold`.

    Attributes:
        path: the folder.
        kept: whether it holds work that a later run can go on from; else it goes when the block ends.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path, self.kept = path, False
        self._lock = lock

    @classmethod
    def hold(cls, prefix: Path) -> "RunFolder":
        """Make the folder of a prefix, or take over that of a dead run.

        Raises:
            RunningError: a living run holds it.
            OutputFolderError: it cannot be made.
        """
        path = parts_folder(prefix)
        while True:
            try:
                path.mkdir(exist_ok=True)
                lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            except FileNotFoundError as error:
                if path.parent.is_dir() and not path.exists():
                    # Whoever held it removed it between the two calls.
                    continue
                raise OutputFolderError(path.parent, "does not exist; create it (mkdir -p)") from error
            except OSError as error:
                what = f"cannot take {path.name} ({error.strerror or error}); make it writable"
                raise OutputFolderError(path.parent, what) from error
            if _locked(lock, prefix) and _is_still(lock, path / LOCK):
                return cls(path, lock)
            os.close(lock)

    def clear(self) -> None:
        """Remove everything in it but the lock."""
        for entry in self.path.iterdir():
            if entry.name != LOCK:
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self.kept:
            with contextlib.suppress(OSError):
                self.clear()
            # The lock's file goes last, while it is still locked: who waits for it sees that it is gone.
            with contextlib.suppress(OSError):
                (self.path / LOCK).unlink()
                self.path.rmdir()
        os.close(self._lock)


def parts_folder(prefix: Path) -> Path:
    """Return where the unfinished work of a prefix is."""
    return prefix.with_name(prefix.name + SUFFIX)


def _locked(lock: int, prefix: Path) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise RunningError(prefix) from None
    except OSError as error:
        # Some file systems have no locks: there two runs on one prefix are the user's to keep apart.
        if error.errno not in _NO_LOCKS_HERE:
            raise
    return True


def _is_still(lock: int, path: Path) -> bool:
    """Whether the file that was locked is the one that the name leads to: its last holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except FileNotFoundError:
        return False
