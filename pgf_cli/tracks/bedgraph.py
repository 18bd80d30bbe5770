"""bedGraph: one line per scored base, `chrom start end value`."""

import csv
import gzip
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from pgf_cli.tracks.estimates import places_bytes, stored_bytes, values_bytes
from pgf_cli.tracks.names import check_no_comments, check_printable, shown
from pgf_cli.tracks.opening import open_all
from pgf_cli.tracks.output_format import OutputFormat
from pgf_cli.tracks.reading import PLACE_COLUMNS, read_rows
from pgf_cli.tracks.request import OutputRequest, TrackSpec
from pgf_cli.tracks.rows import RowBuffer, ScoredRows
from pgf_cli.tracks.single_contig import SingleContigWriter
from pgf_cli.tracks.tabix import TabixIndex, check_tabix, needs_csi, write_tabix
from pgf_cli.tracks.textfile import TextFile, repeated
from pgf_cli.tracks.tile import ScoredTile, TrackWriter

if TYPE_CHECKING:
    import pandas as pd


class BedGraph(OutputFormat):
    """bedGraph, a file a track; compressed, each with an index for tabix."""

    def check(self, request: OutputRequest) -> None:
        """See OutputFormat.

        Raises:
            RecordNameError: a record's name would make its lines comments, or has a control character.
            MissingPysamError: an index is wanted and pysam is not installed.
        """
        names = request.written_contigs()
        check_printable(names)
        check_no_comments(names, self.name)
        if request.bgzip:
            check_tabix()

    def files(self, request: OutputRequest) -> dict[str, str]:
        """See OutputFormat."""
        suffix = ".bedgraph.gz" if request.bgzip else ".bedgraph"
        files = {self._key(track): f".{track.name}{suffix}" for track in request.tracks}
        if request.bgzip:
            end = ".csi" if needs_csi(request.lengths.values()) else ".tbi"
            files |= {self._index_key(track): f".{track.name}{suffix}{end}" for track in request.tracks}
        return files

    def open_files(self, request: OutputRequest) -> int:
        """See OutputFormat; an index is written when its file is closed."""
        return len(request.tracks)

    def estimated_bytes(self, request: OutputRequest) -> int:
        """See OutputFormat."""
        tracks = request.tracks_by_contig()
        text = sum(tracks[span.contig] * (places_bytes(span) + values_bytes(span, request)) for span in request.spans)
        return stored_bytes(text, request)

    def open(self, request: OutputRequest, paths: Mapping[str, Path]) -> list[TrackWriter]:
        """See OutputFormat."""
        return open_all(partial(self._open, request, paths, track) for track in request.tracks)

    def read(self, paths: Mapping[str, Path], track: str) -> "pd.DataFrame | None":
        """See OutputFormat."""
        path = paths[f"{self.name} {track}"]
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
            track_lines = file.readline().startswith("track ")
        return read_rows(
            path, "\t", names=PLACE_COLUMNS, header=None, skiprows=int(track_lines), quoting=csv.QUOTE_NONE
        )

    def _open(self, request: OutputRequest, paths: Mapping[str, Path], track: TrackSpec) -> TrackWriter:
        line = TrackLine(f"{request.name} {track.name}", track.description) if request.track_line else None
        index = None
        if request.bgzip:
            index = TabixIndex(paths[self._index_key(track)], needs_csi(request.lengths.values()))
        return SingleContigWriter(track.contig, BedGraphWriter(paths[self._key(track)], track.name, line, index))

    def _key(self, track: TrackSpec) -> str:
        return f"{self.name} {track.name}"

    def _index_key(self, track: TrackSpec) -> str:
        return f"{self.name} index {track.name}"


class TrackLine(NamedTuple):
    """What a browser shows beside the track; double quotes in it become single ones, control characters escapes."""

    name: str
    description: str

    def __str__(self) -> str:
        name, description = (shown(text).replace('"', "'") for text in self)
        return f'track type=bedGraph name="{name}" description="{description}"'


class BedGraphWriter(TrackWriter):
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
