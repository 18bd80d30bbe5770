"""From errors to exit codes: the only place that catches them."""

import enum
import os
import sys
import traceback

import typer
from typer.core import TyperGroup

from pgf_cli.errors import PgfError, UsageError

VERBOSE = "pgf_cli.verbose"


class ExitStatus(enum.IntEnum):
    """Exit codes of every command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130


class Commands(TyperGroup):
    """Runs a command and turns what went wrong into one line on stderr and an exit code."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Invoke the command named on the command line."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            status, line = ExitStatus.USAGE, str(error)
        except PgfError as error:
            status, line = ExitStatus.FAILED, str(error)
        except KeyboardInterrupt:
            status = ExitStatus.INTERRUPTED
            line = "interrupted; no output was written or changed. Give the same command to start again"
        except BrokenPipeError:
            # Whoever read our output has seen enough, as in `... | head`.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(ExitStatus.OK) from None
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            status, line = ExitStatus.FAILED, f"{where}{error.strerror or error}"
        except MemoryError:
            status, line = ExitStatus.FAILED, "out of memory; choose a smaller --tile, or free some memory"
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if isinstance(error, RuntimeError) and type(error).__module__.startswith("typer"):
                raise
            status = ExitStatus.FAILED
            line = f"unexpected {type(error).__name__}: {error}; this is a bug: please report it with the output of -v"
        if ctx.meta.get(VERBOSE):
            traceback.print_exc()
        typer.echo(f"error: {' '.join(line.split())}", err=True)
        raise typer.Exit(status)
