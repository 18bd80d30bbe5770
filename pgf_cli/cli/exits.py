"""From errors to exit codes: the only place that catches them."""

import enum
import re
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from pgf_cli.cli.streams import say
from pgf_cli.errors import PgfError, UsageError
from pgf_cli.interrupts import Interrupted
from pgf_cli.printable import printable

VERBOSE = "pgf_cli.verbose"
"""Key of a context's ``meta`` under which -v is kept."""

LONGEST_LINE = 2000

NOTHING_DONE = "no output was written or changed; give the same command to start again"
"""What is said of an interruption that brings no advice of its own."""

ParserError: type[Exception] = typer.BadParameter.__mro__[2]
"""What typer raises for a command line that it cannot read; which module defines it depends on typer's version."""


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
    status, line = outcome(error) or (ExitStatus.FAILED, _of_bug(error))
    complain(line)
    return status


@contextmanager
def advising(advice: str) -> Iterator[None]:
    """Say how to go on after an interruption of what is done in the block, unless that is known better already.

    Args:
        advice: a clause: what is left, and which command goes on.
    """
    try:
        yield
    except Interrupted as error:
        error.advice = error.advice or advice
        raise
    except KeyboardInterrupt as error:
        raise Interrupted(signal.SIGINT, advice) from error


def outcome(error: BaseException) -> tuple[int, str] | None:
    """Return the exit code and the line that an error ends in; None for what is a bug or typer's own business."""
    match error:
        case PgfError():
            return ExitStatus.USAGE if isinstance(error, UsageError) else ExitStatus.FAILED, str(error)
        case KeyboardInterrupt():
            return _interruption(error)
        case OSError():
            return ExitStatus.FAILED, _of_system(error)
        case ParserError() if type(error).__name__ != "NoArgsIsHelpError":
            return ExitStatus.USAGE, _of_parser(error)
        case _ if _is_out_of_memory(error):
            return ExitStatus.FAILED, "out of memory; choose a smaller --tile, or free some memory"
        case _:
            return None


def _interruption(error: KeyboardInterrupt) -> tuple[int, str]:
    status, what, advice = int(ExitStatus.INTERRUPTED), "interrupted", NOTHING_DONE
    if isinstance(error, Interrupted):
        status, what, advice = error.exit_code, f"interrupted by {error}", error.advice or NOTHING_DONE
    cause = outcome(error.__cause__) if error.__cause__ and error.__cause__ is not error else None
    if cause and not isinstance(error.__cause__, KeyboardInterrupt):
        # It failed while it was stopping, and what is left may depend on that.
        return status, f"{what}, and while it stopped: {cause[1]}"
    return status, f"{what}; {advice}"


def _of_bug(error: BaseException) -> str:
    return f"unexpected {type(error).__name__}: {error}; this is a bug: please report it with what -v shows"


def _of_system(error: OSError) -> str:
    names = [printable(str(name)) for name in (error.filename, error.filename2) if name is not None]
    what = error.strerror or str(error) or type(error).__name__
    return f"{' -> '.join(names)}: {what}" if names else what


def _of_parser(error: Exception) -> str:
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    context = getattr(error, "ctx", None)
    return f"{message.rstrip('. ')}; see {context.command_path} --help" if context else message


def _is_out_of_memory(error: BaseException) -> bool:
    # torch raises RuntimeError on the host and a class of its own, which is one, on a device.
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and ("can't allocate memory" in str(error) or type(error).__name__ == "OutOfMemoryError")
    )


def complain(line: str) -> None:
    """Print the one line that an error ends in."""
    line = re.sub(r"\s*[\r\n]\s*", " ", line.strip())
    if len(line) > LONGEST_LINE:
        half = LONGEST_LINE // 2
        line = f"{line[:half]} [... {len(line) - 2 * half:,} characters ...] {line[-half:]}"
    say(f"error: {line}")
