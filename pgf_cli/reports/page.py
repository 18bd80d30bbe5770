"""Text on the terminal: what comes from outside is escaped, a long line is broken between words, nothing is cut.

A word that is wider than the terminal, such as a path or a position, is left to the terminal to break: it can still be
copied whole.
"""

import re

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from pgf_cli.printable import printable

INDENT = 2
WORD = re.compile(r"\S+\s*|\s+")
Part = str | tuple[str, str]
"""Words, or words and their style."""


def joined(*parts: Part) -> Text:
    """Return one text of these parts, escaped; markup in them is text like any other."""
    text = Text()
    for part in parts:
        words, style = (part, "") if isinstance(part, str) else part
        text.append(printable(words), style)
    return text


def print_heading(console: Console, *parts: Part) -> None:
    """Print an empty line and a title in bold."""
    console.print()
    title = joined(*parts)
    title.stylize_before("bold")
    print_prose(console, title, indent=0, hanging=INDENT)


def print_prose(console: Console, text: Text, *, indent: int = INDENT, hanging: int | None = None) -> None:
    """Print a text in lines of the console's width.

    Args:
        console: where to print.
        text: what.
        indent: spaces before the first line.
        hanging: spaces before the others; as `indent` by default.
    """
    hanging = indent if hanging is None else hanging
    first, *others = broken(text, console.width - max(indent, hanging))
    print_line(console, first, indent)
    for line in others:
        print_line(console, line, hanging)


def print_line(console: Console, text: Text, indent: int = INDENT) -> None:
    """Print one line as it is, however wide."""
    console.print(Text(" " * indent) + text, soft_wrap=True)


def broken(text: Text, width: int) -> list[Text]:
    """Return the lines of a text that is broken between words, at least one; a longer word has a line of its own."""
    breaks, used = [], 0
    for word in WORD.finditer(text.plain):
        if used and used + cell_len(word.group().rstrip()) > width:
            breaks.append(word.start())
            used = 0
        used += cell_len(word.group())
    lines = list(text.divide(breaks)) if breaks else [text.copy()]
    for line in lines:
        line.rstrip()
    return lines
