"""What is kept of a track as it passes by."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgf_cli.hits import PeakFinder, TrackBins, TrackSketch
from pgf_cli.tracks.manifest import TrackSummary

SPARKLINE_BINS = 60


class TrackScores:
    """Statistics, peaks and bins of one track of one record, in fixed memory.

    Args:
        start, end: the stretch that is written, 0-based half-open.
        hits: peaks kept.
        distance: half-width of a peak's window.
        pulsed: of a pulse run: the statistics are over the nonzero values, which all come after the first pulse.
        signed: peaks, percentiles and bins are those of the magnitudes.
    """

    def __init__(self, start: int, end: int, hits: int, distance: int, *, pulsed: bool, signed: bool) -> None:
        self.sketch = TrackSketch()
        self.magnitudes = TrackSketch() if signed else self.sketch
        self.peaks = PeakFinder(distance, hits)
        self.bins = TrackBins(start, end, SPARKLINE_BINS)
        self._highest: tuple[float, float, int] | None = None
        self._pulsed, self._signed = pulsed, signed

    def add(self, start: int, values: NDArray[np.floating[Any]], scored: NDArray[np.bool_]) -> None:
        """Take the values (T,) from the 0-based position ``start`` on."""
        counted = values[scored & (values != 0)] if self._pulsed else values[scored]
        magnitudes = np.abs(values) if self._signed else values
        self.sketch.add(counted)
        if self._signed:
            self.magnitudes.add(np.abs(counted))
        self.peaks.add(start, magnitudes, scored)
        self.bins.add(start, magnitudes, scored)
        if scored.any():
            best = int(np.argmax(np.where(scored, magnitudes, -np.inf)))
            if self._highest is None or magnitudes[best] > self._highest[0]:
                self._highest = (float(magnitudes[best]), float(values[best]), start + best)

    def summary(self) -> TrackSummary:
        """Sum the track up; of a signed one, the strongest value stands for the maximum's position."""
        sketch = self.sketch
        position = self._highest[2] if self._highest else None
        strongest = self._highest[1] if self._highest else None
        return TrackSummary(
            sketch.median, sketch.mad, sketch.minimum, sketch.maximum, strongest, position, _rounded(self.bins.maxima)
        )


def _rounded(bins: list[float | None]) -> list[float | None]:
    """Bins to the digits that a sparkline shows; there are sixty a track, and records by the thousand."""
    return [None if value is None else float(f"{value:.3g}") for value in bins]
