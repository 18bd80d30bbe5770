"""Median, spread and percentiles of a track of any length, in fixed memory."""

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from datasketches import tdigest_double
from numpy.typing import NDArray

_BLOCK = 65_536
# A run over an assembly in pieces has one sketch for each of thousands of short records.
_SMALLEST_BLOCK = 256
_COMPRESSION = 1_000
# The MAD of a normal distribution is its standard deviation over this.
_NORMAL_MAD = 1.4826


class TrackSketch:
    """Median, MAD and percentiles of the values added.

    Exact up to 65,536 values; beyond, from a t-digest (Dunning & Ertl 2019), whose ranks are within about 0.1% in the
    middle and far closer towards either end, where hits are. The digest is fed in blocks of fixed size: the numbers
    depend on the values and their order alone, not on how tiles are cut. First add everything, then ask.

    Values must be finite.
    """

    def __init__(self) -> None:
        self._block = np.empty(_SMALLEST_BLOCK)
        self._filled = 0
        self._digest: tdigest_double | None = None
        self._closed = False
        self._count = 0
        self._minimum = math.inf
        self._maximum = -math.inf

    def add(self, values: NDArray[np.floating[Any]]) -> None:
        """Take more values, (T,).

        Raises:
            RuntimeError: a statistic was asked for already.
        """
        if self._closed:
            raise RuntimeError("a sketch takes no more values once it has been asked for a statistic")
        if not len(values):
            return
        self._count += len(values)
        self._minimum = min(self._minimum, float(values.min()))
        self._maximum = max(self._maximum, float(values.max()))
        while len(values):
            if self._filled == _BLOCK:
                self._spill()
            elif self._filled == len(self._block):
                self._block = np.concatenate([self._block, np.empty(min(self._filled, _BLOCK - self._filled))])
            taken = values[: len(self._block) - self._filled]
            self._block[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            values = values[len(taken) :]

    @property
    def count(self) -> int:
        """How many values were added."""
        return self._count

    @property
    def minimum(self) -> float | None:
        """The smallest value, exactly; None without values."""
        return self._minimum if self._count else None

    @property
    def maximum(self) -> float | None:
        """The largest value, exactly; None without values."""
        return self._maximum if self._count else None

    @cached_property
    def median(self) -> float | None:
        """The median; None without values."""
        self._close()
        if not self._count:
            return None
        if self._digest is None:
            return float(np.median(self._block))
        # A value shared by many bases is a step in the ranks: bisection would stop beside it, the digest knows it.
        tied = float(self._digest.get_quantile(0.5))
        if self._rank(math.nextafter(tied, -math.inf)) < 0.5 <= self._rank(math.nextafter(tied, math.inf)):
            return tied
        return _bisect(lambda value: self._rank(value) >= 0.5, self._minimum, self._maximum)

    @cached_property
    def mad(self) -> float | None:
        """Median absolute deviation from the median, not scaled; None without values."""
        median = self.median
        if median is None:
            return None
        if self._digest is None:
            return float(np.median(np.abs(self._block - median)))

        def holds_half(deviation: float) -> bool:
            above = math.nextafter(median + deviation, math.inf)
            below = math.nextafter(median - deviation, -math.inf)
            return self._rank(above) - self._rank(below) >= 0.5

        if holds_half(0.0):
            return 0.0
        return _bisect(holds_half, 0.0, max(self._maximum - median, median - self._minimum))

    def percentile(self, value: float) -> float:
        """Share of the values below `value`, those equal to it counted half (mid-rank), 0 to 100.

        Raises:
            ValueError: no values were added.
        """
        if not self._count:
            raise ValueError("no percentile without values")
        self._close()
        return 100.0 * self._rank(value)

    def robust_z(self, value: float) -> float | None:
        """(value - median) / (1.4826 MAD); None where the MAD is 0 or there are no values."""
        if self.median is None or not self.mad:
            return None
        return (value - self.median) / (_NORMAL_MAD * self.mad)

    def _rank(self, value: float) -> float:
        if self._digest is not None:
            return float(self._digest.get_rank(value))
        below, up_to = (np.searchsorted(self._block, value, side=side) for side in ("left", "right"))
        return float(below + up_to) / (2 * self._count)

    def _spill(self) -> None:
        if self._digest is None:
            self._digest = tdigest_double(_COMPRESSION)
        self._digest.update(self._block[: self._filled])
        self._filled = 0

    def _close(self) -> None:
        """Take no more values; what is left of the block are the sorted values, or none where there is a digest."""
        if self._closed:
            return
        if self._digest is not None:
            self._spill()
        self._block = np.sort(self._block[: self._filled])
        self._closed = True


def _bisect(reached: Callable[[float], bool], low: float, high: float) -> float:
    """The smallest number in (low, high] at which the monotone condition `reached` holds, to the last bit."""
    while low < (middle := low + (high - low) / 2) < high:
        if reached(middle):
            high = middle
        else:
            low = middle
    return high
