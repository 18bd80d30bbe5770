"""From errors to exit codes: the only place that catches them."""

import enum
import os
import sys
import traceback

import typer
from typer.core import TyperGroup

from pgf_cli.errors import PgfError, UsageError

VERBOSE = "pgf_cli.verbose"
"""Key of a context's ``meta`` under which -v is kept."""


class ExitStatus(enum.IntEnum):
    """Exit codes of every command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CERTIFICATE = 3
    INTERRUPTED = 130


class Commands(TyperGroup):
    """Runs a command and turns what went wrong into one line on stderr and an exit code."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Invoke the command named on the command line."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Whoever read our output has seen enough, as in `... | head`.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(ExitStatus.OK) from None
        except (PgfError, OSError, MemoryError, KeyboardInterrupt) as error:
            if ctx.meta.get(VERBOSE):
                traceback.print_exception(error)
            status, line = outcome(error)
            typer.echo(f"error: {' '.join(line.split())}", err=True)
            raise typer.Exit(status) from None


def outcome(error: BaseException) -> tuple[ExitStatus, str]:
    """Return the exit code and the line that an error ends in."""
    match error:
        case UsageError():
            return ExitStatus.USAGE, str(error)
        case PgfError():
            return ExitStatus.FAILED, str(error)
        case KeyboardInterrupt():
            line = "interrupted; no output was written or changed. Give the same command to start again"
            return ExitStatus.INTERRUPTED, line
        case MemoryError():
            return ExitStatus.FAILED, "out of memory; choose a smaller --tile, or free some memory"
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return ExitStatus.FAILED, f"{where}{error.strerror or error}"
        case _:
            raise error
