"""Tables on the terminal that lose nothing, however narrow it is."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from pgf_cli.reports.page import INDENT, broken, joined, print_line, print_prose

GAP = 2
NARROWEST_TEXT = 30
"""Beside names; with less room, texts stand below their names."""


class Column(NamedTuple):
    """A column's name and on which side its cells stand."""

    name: str
    left: bool = False


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str | Text]], console: Console) -> None:
    """Print a table; columns that the width has no room for go on, in their order, on further lines of each row.

    The header is broken in the same way, so that every cell stands below its name. No cell is cut: one that is wider
    than the whole line is broken between words, or if it is a single word by the terminal.

    Args:
        columns: from left to right.
        rows: a cell for each column; control characters of a str are escaped, a Text is printed as it is.
        console: where to print.
    """
    cells = [[cell if isinstance(cell, Text) else joined(cell) for cell in row] for row in rows]
    header = [joined((column.name, "bold")) for column in columns]
    widths = [max(row[at].cell_len for row in (header, *cells)) for at in range(len(columns))]
    lines = _lines(widths, console.width - INDENT)
    for row in (header, *cells):
        for number, line in enumerate(lines):
            indent = INDENT if number == 0 else 2 * INDENT
            if len(line) == 1 and row[line[0]].cell_len > console.width - indent:
                for part in broken(row[line[0]], console.width - indent):
                    print_line(console, part, indent)
                continue
            text = Text(" " * GAP).join(_padded(row[at], widths[at], left=columns[at].left) for at in line)
            text.rstrip()
            if text:
                print_line(console, text, indent)


def print_pairs(pairs: Iterable[tuple[str, str | Text]], console: Console) -> None:
    """Print names in bold and a text beside each, or below it where the terminal is narrow."""
    rows = [(joined((name, "bold")), text if isinstance(text, Text) else joined(text)) for name, text in pairs]
    beside = INDENT + max((name.cell_len for name, _ in rows), default=0) + GAP
    if console.width - beside < NARROWEST_TEXT:
        for name, text in rows:
            print_line(console, name)
            print_prose(console, text, indent=2 * INDENT)
        return
    for name, text in rows:
        first, *others = broken(text, console.width - beside)
        print_line(console, _padded(name, beside - INDENT, left=True) + first)
        for line in others:
            print_line(console, line, beside)


def _lines(widths: Sequence[int], room: int) -> list[list[int]]:
    """Which columns stand on which line of a row."""
    lines: list[list[int]] = [[]]
    used = 0
    for at, width in enumerate(widths):
        if lines[-1] and used + GAP + width > room:
            lines.append([])
            # Lines after the first stand further in.
            used = INDENT
        used += width + (GAP if lines[-1] else 0)
        lines[-1].append(at)
    return lines


def _padded(cell: Text, width: int, *, left: bool) -> Text:
    space = Text(" " * max(0, width - cell.cell_len))
    return cell + space if left else space + cell
