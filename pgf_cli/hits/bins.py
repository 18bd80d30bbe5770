"""The outline of a track: its maximum in each of a few bins, for sparklines."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class TrackBins:
    """Maximum of the scored values in each of `bins` equal parts of [start, end), 0-based half-open.

    An interval shorter than `bins` bases gets one bin per base.

    Raises:
        ValueError: the interval is empty or reversed.
    """

    def __init__(self, start: int, end: int, bins: int) -> None:
        if end <= start:
            raise ValueError(f"bins need an interval with bases in it, not {start}-{end}")
        self._start = start
        self._length = end - start
        self._maxima = np.full(min(bins, end - start), -np.inf)

    def add(self, start: int, values: NDArray[np.floating[Any]], scored: NDArray[np.bool_]) -> None:
        """Take the values (T,) of the bases from `start` (0-based) on; those not `scored` (T,) are ignored.

        Raises:
            IndexError: a base lies outside the interval.
        """
        offset = start - self._start
        if offset < 0 or offset + len(values) > self._length:
            raise IndexError(f"bases {start}-{start + len(values)} reach outside the binned interval")
        if not len(values):
            return
        count = len(self._maxima)
        first, last = (place * count // self._length for place in (offset, offset + len(values) - 1))
        # Bin b begins at the first base p with p * count >= b * length.
        begins = -(-np.arange(first + 1, last + 1) * self._length // count) - offset
        maxima = np.maximum.reduceat(np.where(scored, values, -np.inf), [0, *begins])
        np.maximum(self._maxima[first : last + 1], maxima, out=self._maxima[first : last + 1])

    @property
    def maxima(self) -> list[float | None]:
        """The bins from left to right; None where no base was scored."""
        return [None if np.isneginf(value) else float(value) for value in self._maxima]
