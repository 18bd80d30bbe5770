"""What a command shows: its page on stdout, and with -v the traceback of an error."""

import os
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from pgf_cli.cli.exits import advising
from pgf_cli.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

PIPED_WIDTH = 200
CUT_SHORT = "what was being printed is cut short; every file that is in place is complete"
"""What is said of an interruption while a command prints."""


def show(print_page: Callable[["Console"], None]) -> None:
    """Print a page on stdout.

    A terminal (or FORCE_COLOR) gets it in colour and in its own width. What is piped is plain text whose lines stay
    whole, whatever the width of the terminal, and have no padding at their ends.
    """
    with advising(CUT_SHORT):
        _print(print_page)


def show_line(line: str = "") -> None:
    """Print a line on stdout."""
    with advising(CUT_SHORT):
        print(printable(line), flush=True)


def show_json(text: str) -> None:
    """Print JSON on stdout, as it is but for the characters that a terminal obeys: JSON has escapes of its own."""
    shown = "".join(c if c == "\n" or c.isprintable() else _json_escaped(c) for c in text)
    with advising(CUT_SHORT):
        print(shown.rstrip("\n"), flush=True)


def _json_escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _print(print_page: Callable[["Console"], None]) -> None:
    console_class = _console_class()
    if sys.stdout.isatty() or os.environ.get("FORCE_COLOR"):
        print_page(console_class(highlight=False, emoji=False))
        return
    console = console_class(highlight=False, emoji=False, width=PIPED_WIDTH)
    with console.capture() as captured:
        print_page(console)
    print("\n".join(line.rstrip() for line in captured.get().split("\n")).rstrip("\n"), flush=True)


def _console_class() -> "type[Console]":
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment
    from rich.text import Text

    class GuardedConsole(Console):
        """Lets no character through that steers the terminal, should a page have forgotten to ask ``printable``.

        Strings are escaped before they are measured and laid out, so that nothing of them is cropped; whatever a
        page has made into a ``Text`` itself, as it is written.
        """

        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str(_escaped(text), **options)

        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                if segment.control or segment.text.isprintable():
                    yield segment
                else:
                    yield Segment(_escaped(segment.text), segment.style)

    return GuardedConsole


def _escaped(text: str) -> str:
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))
