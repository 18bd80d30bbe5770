"""Progress on stderr: a bar on a terminal, a line now and then when piped."""

import sys
import time

import rich.progress
from rich.console import Console
from rich.markup import escape

from pgf_cli.progress import Progress, SilentProgress

SECONDS_BETWEEN_LINES = 10.0


class BasesPerSecond(rich.progress.ProgressColumn):
    """Speed in bases per second."""

    def render(self, task: rich.progress.Task) -> str:
        """Return the speed, or nothing while it is unknown."""
        return f"{task.speed:,.0f} bases/s" if task.speed else ""


class BarProgress:
    """A progress bar with bases per second and time left."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.TaskProgressColumn(),
            BasesPerSecond(),
            rich.progress.TimeRemainingColumn(compact=True),
            console=self._console,
            transient=True,
        )
        self._task = rich.progress.TaskID(0)

    def message(self, text: str) -> None:
        """Print a line."""
        self._console.print(escape(text))

    def begin(self, total: int) -> None:
        """Show the bar."""
        self._task = self._bar.add_task("", total=total)
        self._bar.start()

    def advance(self, bases: int, doing: str) -> None:
        """Move the bar."""
        self._bar.update(self._task, advance=bases, description=escape(doing))

    def end(self) -> None:
        """Remove the bar."""
        self._bar.stop()


class LineProgress:
    """Plain lines, one every ten seconds at most."""

    def __init__(self) -> None:
        self._total = self._done = 0
        self._began = self._told = 0.0

    def message(self, text: str) -> None:
        """Print a line."""
        print(text, file=sys.stderr, flush=True)

    def begin(self, total: int) -> None:
        """Start the clock."""
        self._total, self._done = total, 0
        self._began = self._told = time.monotonic()

    def advance(self, bases: int, doing: str) -> None:
        """Print a line if the last one was long ago."""
        self._done += bases
        now = time.monotonic()
        if now - self._told < SECONDS_BETWEEN_LINES:
            return
        self._told = now
        speed = self._done / (now - self._began)
        left = (self._total - self._done) / speed
        self.message(
            f"{doing}: {self._done:,} of {self._total:,} bases ({self._done / self._total:.0%}), "
            f"{speed:,.0f} bases/s, {left:,.0f} s left"
        )

    def end(self) -> None:
        """Say nothing: the report follows."""


def progress_for(*, quiet: bool) -> Progress:
    """Return who listens: a bar on a terminal, lines when piped, nobody when quiet."""
    if quiet:
        return SilentProgress()
    return BarProgress() if sys.stderr.isatty() else LineProgress()
