"""CSV: all tracks of a run side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from pgf_cli.core.bases import LETTERS
from pgf_cli.errors import UsageError
from pgf_cli.tracks.estimates import places_bytes, stored_bytes, values_bytes
from pgf_cli.tracks.names import check_no_formulas, check_printable
from pgf_cli.tracks.output_format import OutputFormat
from pgf_cli.tracks.reading import PLACE_COLUMNS, read_rows
from pgf_cli.tracks.request import OutputRequest
from pgf_cli.tracks.rows import RowBuffer, ScoredRows
from pgf_cli.tracks.textfile import TextFile, repeated
from pgf_cli.tracks.tile import ScoredTile, TrackWriter

if TYPE_CHECKING:
    import pandas as pd

_LETTERS = pl.Series(list(LETTERS[:4]), dtype=pl.Enum(list(LETTERS[:4])))


class Csv(OutputFormat):
    """CSV: one table, so every track has to be about the same records."""

    def check(self, request: OutputRequest) -> None:
        """See OutputFormat.

        Raises:
            UsageError: tracks are about different records.
            RecordNameError: a record's name is a formula to a spreadsheet, or has a control character.
        """
        if len({track.contig for track in request.tracks if track.contig is not None}) > 1:
            raise UsageError(
                "--separate writes a CSV of one record only; choose pulses on one record, or another format"
            )
        names = request.written_contigs()
        check_printable(names)
        check_no_formulas(names)

    def files(self, request: OutputRequest) -> dict[str, str]:
        """See OutputFormat."""
        return {self.name: ".csv.gz" if request.bgzip else ".csv"}

    def estimated_bytes(self, request: OutputRequest) -> int:
        """See OutputFormat."""
        tracks = request.tracks_by_contig()
        text = sum(
            places_bytes(span) + 2 * (span.end - span.start) + tracks[span.contig] * values_bytes(span, request)
            for span in request.spans
        )
        return stored_bytes(text, request)

    def open(self, request: OutputRequest, paths: Mapping[str, Path]) -> list[TrackWriter]:
        """See OutputFormat."""
        return [CsvWriter(paths[self.name], [track.name for track in request.tracks], bgzip=request.bgzip)]

    def read(self, paths: Mapping[str, Path], track: str) -> "pd.DataFrame | None":
        """See OutputFormat."""
        columns = [*PLACE_COLUMNS[:3], track]
        return read_rows(paths[self.name], ",", usecols=columns).rename(columns={track: PLACE_COLUMNS[3]})


class CsvWriter(TrackWriter):
    """Writes `chrom,start,end,base` and one column per track: 0-based half-open, scored bases only, a header line.

    Values are the shortest decimals that read back exactly in the dtype of the tiles. Names with commas or double
    quotes are quoted as RFC 4180 says; lines end with a line feed alone.

    Args:
        path: the file to create.
        tracks: the tracks to write, in the order of their columns.
        bgzip: compress the file (BGZF); tabix has no index for CSV.

    Raises:
        WriteError: the file cannot be created.
    """

    def __init__(self, path: Path, tracks: Sequence[str], *, bgzip: bool = False) -> None:
        self._buffer = RowBuffer(tracks, self._write_rows)
        self._file = TextFile(path, bgzip=bgzip)
        header = pl.DataFrame([["chrom", "start", "end", "base", *tracks]], orient="row")
        self._file.write_frame(header, separator=",", quotes="necessary")

    def write(self, tile: ScoredTile) -> None:
        """Add a tile; see TrackWriter."""
        self._buffer.add(tile)

    def close(self) -> None:
        """Complete the file; see TrackWriter."""
        self._buffer.flush()
        self._file.close()

    def discard(self) -> None:
        """Let go of the unfinished file."""
        self._file.discard()

    def _write_rows(self, rows: ScoredRows) -> None:
        columns = [
            repeated(rows.contig, len(rows.starts)),
            pl.Series(rows.starts),
            pl.Series(rows.starts + 1),
            _LETTERS.gather(rows.bases),
            *(pl.Series(values) for values in rows.values.values()),
        ]
        frame = pl.DataFrame([column.alias(str(place)) for place, column in enumerate(columns)])
        self._file.write_frame(frame, separator=",", quotes="necessary")
