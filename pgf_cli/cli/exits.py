"""From errors to exit codes: the only place that catches them."""

import enum
import errno
import re
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from pgf_cli.cli.streams import say
from pgf_cli.errors import PgfError, UsageError, advice_of, advise
from pgf_cli.interrupts import Interrupted
from pgf_cli.printable import printable

VERBOSE = "pgf_cli.verbose"
"""Key of a context's ``meta`` under which -v is kept."""

LONGEST_LINE = 2000

NOTHING_DONE = "no output was written or changed; give the same command to start again"
"""What is said of an interruption that brings no advice of its own."""

ParserError: type[Exception] = typer.BadParameter.__mro__[2]
"""What typer raises for a command line that it cannot read; which module defines it depends on typer's version."""


REMEDIES = {
    errno.ENOSPC: "free some space, or write elsewhere with --output",
    errno.EDQUOT: "your quota is used up: free some space, or write elsewhere with --output",
    errno.EFBIG: "the limit on the size of a file is reached: raise it (ulimit -f) or write smaller formats",
    errno.EMFILE: "too many files are open in this process: raise the limit (ulimit -n)",
}
"""What to do about errors of the system that are met wherever files are."""

ENDINGS = (PgfError, ParserError, OSError, MemoryError, RuntimeError, KeyboardInterrupt)
"""What may have an outcome: the user's doing or the machine's, not a bug."""


class ExitStatus(enum.IntEnum):
    """Exit codes of every command; an interruption by signal n is 128 + n."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CERTIFICATE = 3
    """Done and written, but the certificate of exactness failed."""
    INTERRUPTED = 128 + signal.SIGINT
    TERMINATED = 128 + signal.SIGTERM


class Commands(TyperGroup):
    """Runs a command and turns what went wrong into one line on stderr and an exit code."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Read what stands before the command's name."""
        with _ending(None):
            return super().make_context(*args, **extra)

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Invoke the command named on the command line."""
        with _ending(ctx):
            return super().invoke(ctx)


@contextmanager
def _ending(ctx: typer.Context | None) -> Iterator[None]:
    try:
        yield
    except ENDINGS as error:
        if outcome(error) is None:
            raise
        raise typer.Exit(ending(error, verbose=bool(ctx and ctx.meta.get(VERBOSE)))) from None


def ending(error: BaseException, *, verbose: bool) -> int:
    """Print the line that an error ends in, after its traceback if that is asked for; return the exit code."""
    if verbose:
        for line in "".join(traceback.format_exception(error)).splitlines():
            say(line)
    status, line = outcome(error) or (ExitStatus.FAILED, _advised(_of_bug(error), error))
    complain(line)
    return status


@contextmanager
def advising(advice: str, *, overruling: bool = False) -> Iterator[None]:
    """Say how to go on after an interruption of what is done in the block.

    Args:
        advice: a clause: what is left, and which command goes on.
        overruling: whether this is said instead of what was said within the block, of errors too: for a command that
            carries out another, whose options it does not have. Otherwise what was said first is known better.
    """
    try:
        yield
    except Interrupted as error:
        error.advice = None if overruling else error.advice
        advise(error, advice)
        raise
    except KeyboardInterrupt as error:
        raise Interrupted(signal.SIGINT, advice) from error
    except PgfError as error:
        if overruling and error.advice:
            error.advice = advice
        raise


def outcome(error: BaseException) -> tuple[int, str] | None:
    """Return the exit code and the line that an error ends in; None for what is a bug or typer's own business."""
    match error:
        case KeyboardInterrupt():
            return _of_interruption(error)
        case PgfError():
            status, line = ExitStatus.USAGE if isinstance(error, UsageError) else ExitStatus.FAILED, str(error)
        case OSError():
            status, line = ExitStatus.FAILED, _of_system(error)
        case ParserError() if type(error).__name__ != "NoArgsIsHelpError":
            status, line = ExitStatus.USAGE, _of_parser(error)
        case _ if reason := _of_limit(error):
            status, line = ExitStatus.FAILED, reason
        case _:
            return None
    return status, _advised(line, error)


def _advised(line: str, error: BaseException) -> str:
    advice = advice_of(error)
    return f"{line.rstrip('. ')}; {advice}" if advice else line


def _of_interruption(error: KeyboardInterrupt) -> tuple[int, str]:
    status, line = int(ExitStatus.INTERRUPTED), "interrupted"
    if isinstance(error, Interrupted):
        status, line = error.exit_code, f"interrupted by {error}"
    cause = error.__cause__
    if cause is None or isinstance(cause, KeyboardInterrupt):
        return status, f"{line}; {advice_of(error) or NOTHING_DONE}"
    # It failed while it was stopping, and what is left may depend on that: nothing is taken for granted.
    _, failed = outcome(cause) or (ExitStatus.FAILED, _of_bug(cause))
    return status, _advised(f"{line}, and while it stopped: {failed}", error)


def _of_bug(error: BaseException) -> str:
    return f"unexpected {type(error).__name__}: {error}; this is a bug: please report it with what -v shows"


def _of_system(error: OSError) -> str:
    names = [printable(str(name)) for name in (error.filename, error.filename2) if name is not None]
    what = error.strerror or str(error) or type(error).__name__
    remedy = REMEDIES.get(error.errno or 0)
    return f"{' -> '.join(names) or 'the system'}: {what}{f'; {remedy}' if remedy else ''}"


def _of_parser(error: Exception) -> str:
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    context = getattr(error, "ctx", None)
    return f"{message.rstrip('. ')}; see {context.command_path} --help" if context else message


def _of_limit(error: BaseException) -> str | None:
    """What is said of a limit of this machine or of Python that was met; None for other errors."""
    # torch raises RuntimeError on the host and a class of its own, which is one, on a device.
    text = str(error) if isinstance(error, RuntimeError) else ""
    if isinstance(error, MemoryError) or "can't allocate memory" in text or type(error).__name__ == "OutOfMemoryError":
        return "out of memory; choose a smaller --tile, or free some memory"
    if "can't start new thread" in text:
        return "no more threads can be started (ulimit -u, or the container's limit); choose fewer with --threads"
    if isinstance(error, RecursionError):
        return (
            "an input is nested too deeply to be read (TOML, JSON or checkpoint); give it fewer levels, and if none is "
            "nested this is a bug: please report it with what -v shows"
        )
    return None


def complain(line: str) -> None:
    """Print the one line that an error ends in."""
    line = re.sub(r"\s*[\r\n]\s*", " ", line.strip())
    if len(line) > LONGEST_LINE:
        half = LONGEST_LINE // 2
        line = f"{line[:half]} [... {len(line) - 2 * half:,} characters ...] {line[-half:]}"
    say(f"error: {line}")
