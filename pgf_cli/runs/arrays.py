"""Hypothetical scores and sequences of equally long regions, as motif tools load them."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgf_cli.errors import UsageError
from pgf_cli.genome import Genome, Region, Selection
from pgf_cli.runs.attribution import hypothetical
from pgf_cli.runs.hits import ReadRecord
from pgf_cli.tracks import TrackSpool, write_npz

# modisco and finemo store float16: beyond these a score becomes infinite, or 0.
HALF_LARGEST, HALF_SMALLEST = 65_504.0, 6e-8


def array_regions(selection: Selection) -> tuple[Region, ...]:
    """Return the regions of the arrays, in their order: those of ``regions.tsv`` that were kept.

    Raises:
        UsageError: they are not equally long.
    """
    regions = tuple(row.region for row in selection.requested if row.kept)
    lengths = sorted({region.end - region.start for region in regions})
    if len(lengths) > 1:
        raise UsageError(
            f"--format npz needs regions of one length, and these have {lengths[0]:,} to {lengths[-1]:,} bases; "
            "give --regions BED with windows of one size, or another format"
        )
    return regions


class HypotheticalScores:
    """The scores of all regions while records pass by, in a nameless temporary file; a context manager.

    Args:
        folder: where the file goes.
        regions: equally long.
        dtype: of the scores.
    """

    def __init__(self, folder: Path, regions: Sequence[Region], dtype: np.dtype[Any]) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed by __exit__
        self._regions, self._dtype = regions, dtype
        self._length = regions[0].end - regions[0].start
        self.largest = 0.0

    def take(self, reading: ReadRecord, spool: TrackSpool) -> None:
        """Take the scores of a record's regions from its spool."""
        for index, region in enumerate(self._regions):
            if region.contig != reading.name:
                continue
            start, end = reading.forward_span(region.start, region.end)
            for column in range(4):
                # On the other strand a base is its complement, read backwards.
                values = spool.read(hypothetical(3 - column if reading.reverse else column), start, end)
                values = values[::-1] if reading.reverse else values
                self.largest = max(self.largest, float(np.abs(values).max()))
                os.pwrite(self._file.fileno(), values.tobytes(), self._place(index, column, 0))

    def write(self, path: Path) -> None:
        """Write the array (regions, 4, length) of scores."""

        def read(region: int, column: int, start: int, end: int) -> NDArray[Any]:
            size = (end - start) * self._dtype.itemsize
            return np.frombuffer(os.pread(self._file.fileno(), size, self._place(region, column, start)), self._dtype)

        write_npz(path, len(self._regions), self._length, self._dtype, read)

    def write_one_hot(self, path: Path, genome: Genome) -> None:
        """Write the array (regions, 4, length) of the sequence, zeros at N."""

        def read(region: int, column: int, start: int, end: int) -> NDArray[Any]:
            here = self._regions[region]
            bases = genome.record(here.contig)[here.start + start : here.start + end]
            here_or_not: NDArray[Any] = (bases == column).astype(self._dtype)
            return here_or_not

        write_npz(path, len(self._regions), self._length, self._dtype, read)

    def _place(self, region: int, column: int, start: int) -> int:
        return ((region * 4 + column) * self._length + start) * self._dtype.itemsize

    def __enter__(self) -> "HypotheticalScores":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()
