"""bedGraph: one line per scored base, `chrom start end value`."""

from pathlib import Path
from typing import NamedTuple

import polars as pl

from pgf_cli.tracks.rows import RowBuffer, ScoredRows
from pgf_cli.tracks.tabix import TabixIndex, write_tabix
from pgf_cli.tracks.textfile import TextFile, repeated
from pgf_cli.tracks.tile import ScoredTile


class TrackLine(NamedTuple):
    """What a browser shows beside the track; double quotes in it become single ones."""

    name: str
    description: str

    def __str__(self) -> str:
        name, description = (text.replace('"', "'") for text in self)
        return f'track type=bedGraph name="{name}" description="{description}"'


class BedGraphWriter:
    """Writes one track as bedGraph: tab separated, 0-based half-open, one line per scored base, none at N.

    Neighbours of equal value are not merged. The value is the shortest decimal that reads back exactly in the dtype
    of the tiles. Source: UCSC Genome Browser, "bedGraph Track Format".

    Args:
        path: the file to create.
        track: which of the tiles' tracks to write.
        track_line: browsers want it; bedGraphToBigWig and bedToBigBed reject it.
        index: compress the file (BGZF) and, when it is complete, write this index of it; None: plain text.

    Raises:
        WriteError: the file cannot be created.
    """

    def __init__(
        self, path: Path, track: str, track_line: TrackLine | None = None, index: TabixIndex | None = None
    ) -> None:
        self._path, self._track, self._index = path, track, index
        self._skipped_lines = 0 if track_line is None else 1
        self._buffer = RowBuffer([track], self._write_rows)
        self._file = TextFile(path, bgzip=index is not None)
        if track_line is not None:
            self._file.write_line(str(track_line))

    def write(self, tile: ScoredTile) -> None:
        """Add a tile; see TrackWriter."""
        self._buffer.add(tile)

    def close(self) -> None:
        """Complete the file; see TrackWriter."""
        self._buffer.flush()
        self._file.close()
        if self._index is not None:
            write_tabix(self._path, self._index, skipped_lines=self._skipped_lines)

    def discard(self) -> None:
        """Let go of the unfinished file."""
        self._file.discard()

    def _write_rows(self, rows: ScoredRows) -> None:
        frame = pl.DataFrame(
            {
                "chrom": repeated(rows.contig, len(rows.starts)),
                "start": rows.starts,
                "end": rows.starts + 1,
                "value": rows.values[self._track],
            }
        )
        self._file.write_frame(frame, separator="\t", quotes="never")
