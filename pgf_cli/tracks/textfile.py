"""A text file that tables are appended to."""

import io
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import polars as pl
from Bio import bgzf

from pgf_cli.tracks.disk import translate_os_errors

# Level 6 takes four times as long for an eighth less; the sweep should not wait for either.
_LEVEL = 1
_PIECE = 1 << 16


class TextFile:
    """A UTF-8 file with Unix line ends, written a data frame at a time.

    Args:
        path: the file to create.
        bgzip: compress it as BGZF: gzip in blocks, which can be read by position.

    Raises:
        WriteError: the file cannot be created, or later, written.
    """

    def __init__(self, path: Path, *, bgzip: bool = False) -> None:
        self._path = path
        with translate_os_errors(path):
            self._file = path.open("wb")
        writer: Any = bgzf.BgzfWriter
        self._text = writer(fileobj=self._file, compresslevel=_LEVEL) if bgzip else self._file

    def write_line(self, line: str) -> None:
        """Append one line."""
        with translate_os_errors(self._path):
            self._text.write(f"{line}\n".encode())

    def write_frame(self, frame: pl.DataFrame, separator: str, quotes: Literal["necessary", "never"]) -> None:
        """Append the rows of a frame, no header; floats as the shortest decimal that reads back exactly."""
        # Formatted in memory first, so that the disk's refusals come as Python's errors and not as polars' own.
        text = io.BytesIO()
        frame.write_csv(text, include_header=False, separator=separator, quote_style=quotes)
        rows = text.getbuffer()
        with translate_os_errors(self._path):
            # The compressor copies what it has not come to yet once for every block.
            for start in range(0, len(rows), _PIECE):
                self._text.write(rows[start : start + _PIECE])

    def close(self) -> None:
        """Write what is buffered and close."""
        with translate_os_errors(self._path):
            self._text.close()

    def discard(self) -> None:
        """Close, whatever becomes of the content."""
        with suppress(OSError):
            self._file.close()


def repeated(name: str, count: int) -> pl.Series:
    """`name` in every row; stored once, so that formatting it costs little."""
    return pl.Series([name], dtype=pl.Enum([name])).new_from_index(0, count)
