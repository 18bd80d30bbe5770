"""Whole runs of the command line, each in a process of its own that is forked from one that has imported everything.

A fresh process would spend seconds on imports and on loading compiled loops, and two hundred runs would take an hour.
Forking is safe while the parent has one thread, and that is checked. So polars, which starts some when it is imported,
is left to the children.
"""

import contextlib
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

LONGEST_SECONDS = 3600.0
STDERR = "stderr.txt"


def one_thread_only() -> None:
    """Keep libraries that are imported later from starting threads; to be called before they are."""
    for library in ("OMP", "OPENBLAS", "MKL", "VECLIB", "NUMEXPR"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    os.environ["POLARS_MAX_THREADS"] = "1"


def warm_up(model: Path) -> None:
    """Import what a run imports, and load or compile its loops, so that no child has to.

    Raises:
        RuntimeError: that has started a thread; a fork would leave its locks as they are, for ever.
    """
    import figwig  # noqa: F401
    import numpy as np
    import pandas as pd  # noqa: F401
    import pysam  # noqa: F401
    import torch

    import pgf_cli.api.running
    import pgf_cli.cli.app
    import pgf_cli.cli.progress
    import pgf_cli.runs  # noqa: F401
    from pgf_cli.checkpoints import read_checkpoint
    from pgf_cli.core.certificate import certify
    from pgf_cli.core.threads import set_threads

    set_threads(1)
    built = read_checkpoint(model, None).build("logprobs", torch.float32, torch.device("cpu"))
    certify(built, np.random.default_rng(0).integers(0, 4, 256, dtype=np.uint8))
    if (threads := len(list(Path("/proc/self/task").iterdir()))) != 1:
        raise RuntimeError(f"{threads} threads after the warm-up; runs can only be forked from one")


class Ended(NamedTuple):
    """How a run ended."""

    status: int
    """Exit code, or minus the signal that killed it."""
    stderr: str
    seconds: float
    """From the moment that it began to write."""


class ForkedRun:
    """A run under way.

    Args:
        arguments: of the command line.
        folder: where it runs and writes its outputs; what it says goes beside it.
        marker: what appears in the folder when it begins to write.
        prepare: called in the child first.
        beside: the folder where what it says is written; None: that of its own folder, which may be on a full disk.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        marker: str,
        prepare: Callable[[], None] = lambda: None,
        beside: Path | None = None,
    ) -> None:
        self._said = (beside or folder.parent) / f"{folder.name}.{STDERR}"
        self._marker, self._began = folder / marker, 0.0
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _be_the_command(arguments, folder, self._said, prepare)
        self._ended: int | None = None

    def wait_for_writing(self) -> bool:
        """Return when it begins to write: whether it does before it ends."""
        while self._began == 0.0:
            if self._marker.exists():
                self._began = time.monotonic()
            elif self.has_ended():
                self._began = time.monotonic()
                return False
            time.sleep(0.0005)
        return True

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal; one that ended meanwhile does not mind."""
        if not self.has_ended():
            os.kill(self.pid, number)

    def wait(self) -> Ended:
        """Return how it ended.

        Raises:
            TimeoutError: it goes on for ever; it is killed.
        """
        self.wait_for_writing()
        deadline = time.monotonic() + LONGEST_SECONDS
        while not self.has_ended():
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                raise TimeoutError(f"a run went on for {LONGEST_SECONDS:.0f} seconds: {self._said.read_text()}")
            time.sleep(0.0005)
        seconds = time.monotonic() - self._began
        return Ended(os.waitstatus_to_exitcode(self._ended or 0), self._said.read_text(), seconds)

    def has_ended(self) -> bool:
        """Whether it has."""
        if self._ended is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._ended = status if pid else None
        return self._ended is not None


def _be_the_command(arguments: Sequence[str], folder: Path, said: Path, prepare: Callable[[], None]) -> None:
    status = 70
    try:
        descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.chdir(folder)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        sys.argv = ["pgf-sensitivity", *arguments]
        from pgf_cli.cli.app import main

        prepare()
        main()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 0
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        # The parent's own clean-up is not the child's business.
        os._exit(status)
