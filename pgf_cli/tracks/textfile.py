"""A text file that tables are appended to, and the one error for whatever a disk refuses."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import polars as pl

from pgf_cli.errors import PgfError


class WriteError(PgfError, OSError):
    """The system refused to write a file that the run had begun."""

    def __init__(self, path: Path, error: OSError) -> None:
        reason = error.strerror or str(error)
        super().__init__(f"cannot write {path}: {reason}; free some space there or name another folder with --output.")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn whatever the system says while `path` is written into a WriteError."""
    try:
        yield
    except OSError as error:
        raise WriteError(path, error) from error


class TextFile:
    """A UTF-8 file with Unix line ends, written a data frame at a time.

    Raises:
        WriteError: the file cannot be created, or later, written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with writing(path):
            self._file = path.open("wb")

    def write_line(self, line: str) -> None:
        """Append one line."""
        with writing(self._path):
            self._file.write(f"{line}\n".encode())

    def write_frame(self, frame: pl.DataFrame, separator: str, quotes: Literal["necessary", "never"]) -> None:
        """Append the rows of a frame, no header; floats as the shortest decimal that reads back exactly."""
        # Formatted in memory first, so that the disk's refusals come as Python's errors and not as polars' own.
        text = io.BytesIO()
        frame.write_csv(text, include_header=False, separator=separator, quote_style=quotes)
        with writing(self._path):
            self._file.write(text.getbuffer())

    def close(self) -> None:
        """Write what is buffered and close."""
        with writing(self._path):
            self._file.close()

    def discard(self) -> None:
        """Close, whatever becomes of the content."""
        with suppress(OSError):
            self._file.close()


def repeated(name: str, count: int) -> pl.Series:
    """`name` in every row; stored once, so that formatting it costs little."""
    return pl.Series([name], dtype=pl.Enum([name])).new_from_index(0, count)
