"""Hypothetical scores and sequences of equally long regions, as motif tools load them."""

import tempfile
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgf_cli.errors import UsageError
from pgf_cli.tracks.disk import read_at, translate_os_errors, write_at
from pgf_cli.tracks.npz_file import COLUMNS, write_npz
from pgf_cli.tracks.output_format import OutputFormat
from pgf_cli.tracks.request import OutputRequest, Span
from pgf_cli.tracks.tile import HYPOTHETICAL, NonFiniteScoreError, ScoredTile, TrackWriter

# modisco and finemo store float16: beyond these a score becomes infinite, or 0.
HALF_LARGEST, HALF_SMALLEST = 65_504.0, 6e-8


class Npz(OutputFormat):
    """Two .npz, of hypothetical scores and of the sequence, an array (N, 4, L) each."""

    needs_hypothetical = True

    def check(self, request: OutputRequest) -> None:
        """See OutputFormat.

        Raises:
            UsageError: regions are not equally long.
        """
        lengths = [region.end - region.start for region in request.regions]
        if len(set(lengths)) > 1:
            raise UsageError(
                f"--format {self.name} needs regions of one length, and these have {min(lengths):,} to "
                f"{max(lengths):,} bases; give --regions BED with windows of one size, or another format"
            )

    def files(self, request: OutputRequest) -> dict[str, str]:
        """See OutputFormat."""
        scores = {self.name + suffix: f".hypothetical{suffix}.npz" for suffix in request.suffixes}
        return {**scores, f"{self.name} one-hot": ".onehot.npz"}

    def estimated_bytes(self, request: OutputRequest) -> int:
        """See OutputFormat."""
        positions = sum(region.end - region.start for region in request.regions)
        return (len(request.suffixes) + 1) * COLUMNS * request.dtype.itemsize * positions

    def open(self, request: OutputRequest, paths: Mapping[str, Path]) -> list[TrackWriter]:
        """See OutputFormat."""
        # The sequence is the same whatever strand the scores are of.
        one_hots = [paths[f"{self.name} one-hot"], *[None] * (len(request.suffixes) - 1)]
        writers = list[TrackWriter]()
        try:
            for suffix, one_hot in zip(request.suffixes, one_hots, strict=True):
                scores = paths[self.name + suffix]
                writers.append(NpzWriter(scores, one_hot, request.regions, request.dtype, suffix))
        except BaseException:
            for writer in writers:
                writer.discard()
            raise
        return writers


class NpzWriter(TrackWriter):
    """Gathers the hypothetical scores and bases of regions, and writes them as two arrays (N, 4, L) at the end.

    Regions may overlap and stand in any order. What tiles bring goes to a nameless temporary file beside the outputs,
    at its place in the arrays; so memory does not grow with regions.

    Args:
        scores: the .npz of scores to create.
        one_hot: that of the sequence, zeros at N; None: that is written elsewhere.
        regions: equally long; the rows of the arrays.
        dtype: of both arrays.
        suffix: what the scores' names among a tile's values end in.

    Raises:
        WriteError: the temporary file cannot be created.
    """

    def __init__(
        self, scores: Path, one_hot: Path | None, regions: Sequence[Span], dtype: np.dtype[Any], suffix: str = ""
    ) -> None:
        self._names = [name + suffix for name in HYPOTHETICAL]
        self._scores, self._one_hot, self._dtype = scores, one_hot, dtype
        self._regions = len(regions)
        self._length = regions[0].end - regions[0].start if regions else 0
        self._largest, self._kept = 0.0, 0
        # Rows by start, for each record: as regions are equally long, their ends have the same order.
        self._rows: dict[str, list[tuple[int, int]]] = {}
        for row, region in enumerate(regions):
            self._rows.setdefault(region.contig, []).append((region.start, row))
        for rows in self._rows.values():
            rows.sort()
        with translate_os_errors(scores):
            self._file = tempfile.TemporaryFile(dir=scores.parent)  # noqa: SIM115  closed by close or discard

    def write(self, tile: ScoredTile) -> None:
        """Take the hypothetical scores and bases of every region that a tile touches; see TrackWriter."""
        rows, tile_end = self._rows.get(tile.contig, []), tile.start + len(tile.bases)
        first = bisect_right(rows, tile.start - self._length, key=lambda row: row[0])
        last = bisect_left(rows, tile_end, key=lambda row: row[0])
        if first == last:
            return
        values = self._values(tile)
        for start, row in rows[first:last]:
            here = slice(max(start, tile.start) - tile.start, min(start + self._length, tile_end) - tile.start)
            self._keep(row, tile.start + here.start - start, tile.bases[here], values[:, here])

    def close(self) -> None:
        """Write both files; see TrackWriter.

        Raises:
            ValueError: tiles did not cover the regions; a gap would read as scores of 0.
        """
        if self._kept != self._regions * self._length:
            raise ValueError(f"{self._kept:,} of {self._regions * self._length:,} positions of the regions were given")
        write_npz(self._scores, self._regions, self._length, self._dtype, self._read_scores)
        if self._one_hot is not None:
            write_npz(self._one_hot, self._regions, self._length, self._dtype, self._read_one_hot)
        self._file.close()

    def discard(self) -> None:
        """Let go of the temporary file."""
        self._file.close()

    def warnings(self) -> list[str]:
        """Say that scores do not fit the number format of motif tools."""
        if HALF_SMALLEST <= self._largest <= HALF_LARGEST:
            return []
        return [
            f"the largest hypothetical score is {self._largest:.3g}; motif tools store float16, "
            "which cannot hold it: scale the scores first"
        ]

    def _values(self, tile: ScoredTile) -> NDArray[Any]:
        """A tile's hypothetical scores (4, T), checked."""
        values = np.stack([tile.values[name] for name in self._names]).astype(self._dtype, copy=False)
        wrong = np.argwhere(~np.isfinite(values) & tile.scored)
        if len(wrong):
            column, offset = wrong[0]
            raise NonFiniteScoreError(
                tile.contig, tile.start + int(offset), self._names[column], float(values[column, offset])
            )
        # An N has no score, whatever number stands there.
        return np.where(np.isfinite(values), values, 0).astype(self._dtype, copy=False)

    def _keep(self, row: int, position: int, bases: NDArray[np.uint8], values: NDArray[Any]) -> None:
        self._largest = max(self._largest, float(np.abs(values).max(initial=0.0)))
        with translate_os_errors(self._scores):
            for column in range(COLUMNS):
                write_at(self._file.fileno(), values[column].tobytes(), self._place(row, column, position))
            write_at(self._file.fileno(), bases.tobytes(), self._base_place(row, position))
        self._kept += len(bases)

    def _read_scores(self, row: int, column: int, start: int, end: int) -> NDArray[Any]:
        size = (end - start) * self._dtype.itemsize
        return np.frombuffer(read_at(self._file.fileno(), size, self._place(row, column, start)), self._dtype)

    def _read_one_hot(self, row: int, column: int, start: int, end: int) -> NDArray[Any]:
        bases = np.frombuffer(read_at(self._file.fileno(), end - start, self._base_place(row, start)), np.uint8)
        return np.equal(bases, column)

    def _place(self, row: int, column: int, position: int) -> int:
        return ((row * COLUMNS + column) * self._length + position) * self._dtype.itemsize

    def _base_place(self, row: int, position: int) -> int:
        """Bases follow all scores."""
        return self._place(self._regions, 0, 0) + row * self._length + position
