"""bigWig: the binary track that genome browsers read by region and at any zoom."""

import importlib.util
import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pgf_cli.errors import PgfError
from pgf_cli.tracks.disk import translate_os_errors
from pgf_cli.tracks.names import check_printable
from pgf_cli.tracks.opening import open_all
from pgf_cli.tracks.output_format import OutputFormat
from pgf_cli.tracks.reading import PLACE_COLUMNS
from pgf_cli.tracks.request import OutputRequest, TrackSpec
from pgf_cli.tracks.rows import RowBuffer, ScoredRows
from pgf_cli.tracks.single_contig import SingleContigWriter
from pgf_cli.tracks.tile import ScoredTile, TrackWriter

if TYPE_CHECKING:
    import pandas as pd

_LONGEST_RECORD = 2**32 - 1
# One leaf of figwig's chromosome tree; readers scan a leaf but search a larger tree by name.
_SEARCHED_FROM = 0x7FFF
# A gap up to this long inside a block is carried as NaN; a longer one starts another window.
_LONGEST_CARRIED_GAP = 16
# Of continuous float32 values, zoom levels included; measured, deflate gains little.
_BYTES_PER_BASE = 5.3


class MissingBigWigError(PgfError, ImportError):
    """The optional library that writes bigWig is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "bigWig output needs figwig, which is not installed: pip install 'pgf-sensitivity[bigwig]', "
            "or leave out --format bigwig."
        )


class UnwritableBigWigError(PgfError, ValueError):
    """The records or values do not fit the bigWig format."""


class BigWig(OutputFormat):
    """bigWig, a file a track; it holds the names and lengths of all records."""

    def check(self, request: OutputRequest) -> None:
        """See OutputFormat.

        Raises:
            MissingBigWigError, UnwritableBigWigError, RecordNameError: as `check_bigwig`.
        """
        check_bigwig(list(request.lengths.items()))

    def files(self, request: OutputRequest) -> dict[str, str]:
        """See OutputFormat."""
        return {self._key(track): f".{track.name}.bw" for track in request.tracks}

    def estimated_bytes(self, request: OutputRequest) -> int:
        """See OutputFormat."""
        tracks = request.tracks_by_contig()
        bases = sum(tracks[span.contig] * (span.end - span.start) for span in request.spans)
        return round(_BYTES_PER_BASE * bases)

    def open(self, request: OutputRequest, paths: Mapping[str, Path]) -> list[TrackWriter]:
        """See OutputFormat."""
        sizes = list(request.lengths.items())

        def opened(track: TrackSpec) -> TrackWriter:
            return SingleContigWriter(track.contig, BigWigWriter(paths[self._key(track)], track.name, sizes))

        return open_all(partial(opened, track) for track in request.tracks)

    def read(self, paths: Mapping[str, Path], track: str) -> "pd.DataFrame | None":
        """See OutputFormat."""
        import figwig  # noqa: PLC0415 - an optional extra, imported when used
        import pandas as pd  # noqa: PLC0415 - takes half a second that no run needs

        file = figwig.BigWigReader(paths[f"{self.name} {track}"])
        frames = []
        for contig, length in file.chrom_sizes.items():
            values = file.read(contig, [0], length, missing=np.nan)[0]
            starts = np.flatnonzero(~np.isnan(values))
            columns = (contig, starts, starts + 1, values[starts])
            frames.append(pd.DataFrame(dict(zip(PLACE_COLUMNS, columns, strict=True))))
        return pd.concat(frames, ignore_index=True)

    def _key(self, track: TrackSpec) -> str:
        return f"{self.name} {track.name}"


def check_bigwig(chrom_sizes: Sequence[tuple[str, int]]) -> None:
    """See before computing that a bigWig of these records can be written.

    Args:
        chrom_sizes: name and length in bases of every record, in the FASTA's order.

    Raises:
        MissingBigWigError: figwig is not installed.
        UnwritableBigWigError: a record is longer than 2^32 - 1 bases, or there are more than 32,767 records in
            another order than that of their names, in which readers could not find them.
        RecordNameError: a name has a control character; the format ends names at NUL.
    """
    if importlib.util.find_spec("figwig") is None:
        raise MissingBigWigError
    check_printable(name for name, _ in chrom_sizes)
    for name, length in chrom_sizes:
        if length > _LONGEST_RECORD:
            raise UnwritableBigWigError(
                f"record {name} has {length:,} bases, bigWig ends at {_LONGEST_RECORD:,}; use another --format."
            )
    names = [name.encode() for name, _ in chrom_sizes]
    if len(names) > _SEARCHED_FROM and names != sorted(names):
        raise UnwritableBigWigError(
            f"a bigWig of more than {_SEARCHED_FROM:,} records needs them sorted by name and this FASTA has "
            f"{len(names):,} in another order; sort the FASTA (seqkit sort) or use another --format."
        )


class BigWigWriter(TrackWriter):
    """Writes one track as bigWig: float32, fixedStep sections (bedGraph ones where a value repeats), zoom levels.

    Zero is a value like any other; bases without a score are absent. Memory does not grow with the record. The bytes
    depend on the values alone: not on tiles, threads, or which compression libraries are installed.
    Source: Kent et al. 2010, "BigWig and BigBed", and its supplement.

    Args:
        path: the file to create.
        track: which of the tiles' tracks to write.
        chrom_sizes: name and length in bases of every record, in the order in which tiles come.

    Raises:
        MissingBigWigError, UnwritableBigWigError, RecordNameError: as `check_bigwig`.
        WriteError: the file cannot be created.
    """

    def __init__(self, path: Path, track: str, chrom_sizes: Sequence[tuple[str, int]]) -> None:
        check_bigwig(chrom_sizes)
        import figwig  # noqa: PLC0415 - an optional extra, imported when used

        self._path = path
        self._track = track
        self._buffer = RowBuffer([track], self._write_rows)
        # The format has no record of length 0; such a record has no bases to write either.
        sizes = [(name, length) for name, length in chrom_sizes if length]
        with translate_os_errors(path):
            self._file: Any = figwig.BigWigWriter(path, sizes, engine="zlib", n_jobs=1)

    def write(self, tile: ScoredTile) -> None:
        """Add a tile; see TrackWriter.

        Raises:
            UnwritableBigWigError: a float64 value is too large for float32.
        """
        self._buffer.add(tile)

    def close(self) -> None:
        """Complete the file with its index and zoom levels; see TrackWriter."""
        self._buffer.flush()
        with translate_os_errors(self._path):
            self._file.close()

    def discard(self) -> None:
        """Let go of the file; without its header no reader takes it for a bigWig."""
        # figwig abandons a file only by leaving its context with an error.
        self._file.__exit__(InterruptedError, None, None)

    def _write_rows(self, rows: ScoredRows) -> None:
        values = self._as_float32(rows)
        for part in _windows(rows.starts):
            first = int(rows.starts[part.start])
            window = np.full(int(rows.starts[part.stop - 1]) + 1 - first, np.nan, dtype=np.float32)
            window[rows.starts[part] - first] = values[part]
            with translate_os_errors(self._path):
                self._file.write(rows.contig, [first], window[None, :], missing=np.nan)

    def _as_float32(self, rows: ScoredRows) -> NDArray[np.float32]:
        values = rows.values[self._track]
        too_large = np.flatnonzero(np.abs(values) > np.finfo(np.float32).max)
        if len(too_large):
            worst = too_large[0]
            raise UnwritableBigWigError(
                f"the {self._track} at {rows.contig}:{rows.starts[worst] + 1} is {values[worst]}, beyond the float32 "
                "that bigWig stores; use another --format."
            )
        return values.astype(np.float32)


def _windows(starts: NDArray[np.int64]) -> Iterator[slice]:
    """Cut increasing starts (n,) where a gap is too long to be carried."""
    cuts = np.flatnonzero(np.diff(starts) > _LONGEST_CARRIED_GAP) + 1
    edges = [0, *cuts.tolist(), len(starts)]
    for first, last in itertools.pairwise(edges):
        yield slice(first, last)
