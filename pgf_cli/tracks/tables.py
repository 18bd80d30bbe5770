"""The dialect of our tab-separated tables: a header, NA for what does not apply, nothing quoted, a line a row."""

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from pgf_cli.tracks.disk import translate_os_errors
from pgf_cli.tracks.names import NamesMet, reads_as_formula, shown

NOT_APPLICABLE = "NA"

Cell = str | float | None


class TableWriter:
    """A table that rows are appended to; a context manager that closes it.

    None becomes NA, a float the shortest decimal that reads back exactly, control characters in text an escape.

    Args:
        path: the file to create.
        columns: the header.

    Raises:
        WriteError: the file cannot be created, or later, written.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path, self._columns = path, len(columns)
        self._formulas = NamesMet()
        with translate_os_errors(path):
            self._file = path.open("w", encoding="utf-8", newline="\n")
        self.write([columns])

    def write(self, rows: Iterable[Iterable[Cell]]) -> None:
        """Append rows, each with a cell for every column."""
        for row in rows:
            cells = [self._text(cell) for cell in row]
            if len(cells) != self._columns:
                raise ValueError(f"{len(cells)} cells for {self._columns} columns")
            # What the rows' source raises is not this file's.
            with translate_os_errors(self._path):
                self._file.write("\t".join(cells) + "\n")

    def warnings(self, name: str) -> list[str]:
        """Say which cells a spreadsheet would compute; a table keeps names as they are, for programs to match.

        Args:
            name: what the table is called to people.
        """
        if not self._formulas.rows:
            return []
        return [
            f"{self._formulas.rows:,} cells of {name} begin with a sign that makes them formulas to a spreadsheet "
            f"({self._formulas}): import its columns as text, or rename what bears these names"
        ]

    def close(self) -> None:
        """Write what is buffered and close."""
        with translate_os_errors(self._path):
            self._file.close()

    def discard(self) -> None:
        """Close, whatever becomes of the content."""
        with suppress(OSError):
            self._file.close()

    def _text(self, cell: Cell) -> str:
        if cell is None or (isinstance(cell, float) and math.isnan(cell)):
            return NOT_APPLICABLE
        if not isinstance(cell, str):
            return str(cell)
        if reads_as_formula(cell):
            self._formulas.add(cell)
        return shown(cell)

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


def read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Read a table as text: its header, and every row's cells, NA included; a cell that its line lacks is empty.

    Raises:
        OSError: the file cannot be read.
        ValueError: there is no header, a line has more cells than it, or the text is not UTF-8; the line is named.
    """
    with path.open(encoding="utf-8", newline="\n") as file:
        header = file.readline().removesuffix("\n").split("\t")
        if header == [""]:
            raise ValueError("it is empty")
        rows = []
        for number, line in enumerate(file, start=2):
            cells = line.removesuffix("\n").split("\t")
            if len(cells) > len(header):
                raise ValueError(f"line {number} has {len(cells)} cells and the header {len(header)}")
            rows.append(cells + [""] * (len(header) - len(cells)))
    return header, rows
