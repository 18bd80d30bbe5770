"""What a command shows: its page on stdout, and with -v the traceback of an error."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from pgf_cli.cli.exits import VERBOSE, advising

if TYPE_CHECKING:
    from rich.console import Console

PIPED_WIDTH = 200


def show(print_page: Callable[["Console"], None]) -> None:
    """Print a page on stdout.

    A terminal (or FORCE_COLOR) gets it in colour and in its own width. What is piped is plain text whose lines stay
    whole, whatever the width of the terminal, and have no padding at their ends.
    """
    with advising("what was being printed is cut short; every file that is in place is complete"):
        _print(print_page)


def _print(print_page: Callable[["Console"], None]) -> None:
    from rich.console import Console

    if sys.stdout.isatty() or os.environ.get("FORCE_COLOR"):
        print_page(Console(highlight=False, emoji=False))
        return
    console = Console(highlight=False, emoji=False, width=PIPED_WIDTH)
    with console.capture() as captured:
        print_page(console)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()), flush=True)


def _be_verbose(ctx: typer.Context, wanted: bool) -> bool:
    ctx.meta[VERBOSE] = wanted
    return wanted


VerboseOption = Annotated[
    bool,
    typer.Option("-v", "--verbose", callback=_be_verbose, is_eager=True, help="Show the traceback of an error."),
]
