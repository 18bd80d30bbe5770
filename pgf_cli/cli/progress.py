"""Progress on stderr: a bar on a terminal, a line now and then when piped."""

import sys
import time

import rich.progress
from rich.console import Console
from rich.text import Text

from pgf_cli.cli.streams import say
from pgf_cli.printable import printable
from pgf_cli.progress import Progress, SilentProgress

FEWEST_SECONDS, MOST_SECONDS = 10.0, 600.0
"""Between two lines."""
SHARE = 0.05
"""Of the time that has passed: so that the log of a long run stays short."""
LONGEST_DOING = 24
BESIDE_THE_BAR = 60
"""Columns for the longest name, per cent, speed and time left."""


class BasesPerSecond(rich.progress.ProgressColumn):
    """Speed in bases per second."""

    def render(self, task: rich.progress.Task) -> str:
        """Return the speed, or nothing while it is unknown."""
        return f"{task.speed:,.0f} bases/s" if task.speed else ""


class Doing(rich.progress.ProgressColumn):
    """What is being done, in at most ``LONGEST_DOING`` columns: of a long record's name the middle is left out."""

    def render(self, task: rich.progress.Task) -> Text:
        """Return the text; it is no markup."""
        return Text(shortened(printable(task.description), LONGEST_DOING), no_wrap=True)


def shortened(text: str, longest: int) -> str:
    """Return a text of at most ``longest`` characters, with dots for its middle if it is longer."""
    if len(text) <= longest:
        return text
    kept = longest - 3
    return f"{text[: kept // 2]}...{text[len(text) - (kept - kept // 2) :]}"


class BarProgress:
    """A progress bar with bases per second and time left; on a narrow terminal without the bar itself."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, emoji=False)
        room = self._console.width - BESIDE_THE_BAR
        self._bar = rich.progress.Progress(
            Doing(),
            *([rich.progress.BarColumn(min(room, 40))] if room >= 10 else []),
            rich.progress.TaskProgressColumn(),
            BasesPerSecond(),
            rich.progress.TimeRemainingColumn(compact=True),
            console=self._console,
            transient=True,
            redirect_stdout=False,  # another stream, even where it is the same terminal
        )
        self._task = rich.progress.TaskID(0)

    def message(self, text: str) -> None:
        """Print a line."""
        self._console.print(Text(printable(text)), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print a warning."""
        self.message(f"warning: {text}")

    def begin(self, total: int, done: int = 0) -> None:
        """Show the bar."""
        self._task = self._bar.add_task("", total=total, completed=done)
        self._bar.start()

    def advance(self, bases: int, doing: str) -> None:
        """Move the bar."""
        self._bar.update(self._task, advance=bases, description=doing)

    def end(self) -> None:
        """Remove the bar."""
        self._bar.stop()


class LineProgress:
    """Plain lines, now and then: one every ten seconds at first, every ten minutes in the end."""

    def __init__(self) -> None:
        self._total = self._done = self._earlier = 0
        self._began = self._told = 0.0

    def message(self, text: str) -> None:
        """Print a line."""
        say(text)

    def warn(self, text: str) -> None:
        """Print a warning."""
        say(f"warning: {text}")

    def begin(self, total: int, done: int = 0) -> None:
        """Start the clock."""
        self._total, self._done, self._earlier = total, done, done
        self._began = self._told = time.monotonic()

    def advance(self, bases: int, doing: str) -> None:
        """Print a line if the last one was long ago."""
        self._done += bases
        now = time.monotonic()
        passed = now - self._began
        if now - self._told < min(max(FEWEST_SECONDS, SHARE * passed), MOST_SECONDS):
            return
        self._told = now
        total = max(self._total, self._done)
        if self._done > self._earlier:
            speed = (self._done - self._earlier) / passed
            self.message(
                f"{doing}: {self._done:,} of {total:,} bases ({self._done / total:.0%}), "
                f"{speed:,.0f} bases/s, {(total - self._done) / speed:,.0f} s left"
            )

    def end(self) -> None:
        """Say nothing: the report follows."""


class QuietProgress(SilentProgress):
    """Warnings alone."""

    def warn(self, text: str) -> None:
        """Print a warning."""
        say(f"warning: {text}")


def progress_for(*, quiet: bool) -> Progress:
    """Return who listens: a bar on a terminal, lines when piped, to warnings alone when quiet."""
    if quiet:
        return QuietProgress()
    return BarProgress() if sys.stderr.isatty() else LineProgress()
