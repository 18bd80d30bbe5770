"""The highest local maxima of a track that passes by tile by tile."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_BLOCK = 65_536


class Peak(NamedTuple):
    """A local maximum: 0-based position in its record, and the track there."""

    position: int
    value: float


class PeakFinder:
    """The `keep` highest local maxima of one record, in memory that does not grow with the record.

    A peak is a scored base whose value is above zero, larger than every scored value up to `distance` bases to its
    left and at least as large as every one up to `distance` to its right: of equal values the leftmost counts, and a
    plateau gives one peak. Only bases that were added are looked at. Where tiles are cut makes no difference.

    Values are magnitudes: for a signed track pass absolute values. They must be finite.

    Args:
        distance: half-width of the window, in bases, at least 0.
        keep: how many peaks `finish` returns at most.
    """

    def __init__(self, distance: int, keep: int) -> None:
        self._distance = distance
        self._keep = keep
        # Deciding costs a pass over `distance` bases of old context, so it waits until the new ones outweigh them.
        self._block = max(_BLOCK, 4 * distance)
        self._pending: list[NDArray[np.floating[Any]]] = []
        self._count = 0
        self._end = 0
        self._decided = 0
        self._positions = np.empty(0, dtype=np.int64)
        self._values: NDArray[np.floating[Any]] = np.empty(0)
        self._found: list[tuple[NDArray[np.int64], NDArray[np.floating[Any]]]] = []
        self._found_count = 0

    def add(self, start: int, values: NDArray[np.floating[Any]], scored: NDArray[np.bool_]) -> None:
        """Take the next bases of the record.

        Args:
            start: 0-based position of the first; at or after the end of what was added before.
            values: (T,), any floating dtype, the same in every call.
            scored: (T,), False where a base has no score (N); its value is ignored.

        Raises:
            ValueError: the bases overlap or precede those added before.
        """
        if start < self._end:
            raise ValueError(f"bases must be added from left to right: {start} comes after {self._end}")
        if start - self._end > self._distance:
            self._decide(final=True)
        elif self._pending and start > self._end:
            self._append(np.full(start - self._end, -np.inf, dtype=values.dtype))
        self._append(np.where(scored & (values > 0), values, -np.inf))
        self._end = start + len(values)
        if self._count >= self._block:
            self._decide(final=False)

    def finish(self) -> list[Peak]:
        """The peaks of everything added, highest first, the leftmost first among equals."""
        self._decide(final=True)
        self._rank()
        return [
            Peak(int(position), float(value)) for position, value in zip(self._positions, self._values, strict=True)
        ]

    def _append(self, values: NDArray[np.floating[Any]]) -> None:
        self._pending.append(values)
        self._count += len(values)

    def _decide(self, *, final: bool) -> None:
        """Judge every pending base whose window is complete; keep the context that the next ones need."""
        if not self._pending:
            return
        values = np.concatenate(self._pending)
        ready = len(values) if final else len(values) - self._distance
        peaks = np.flatnonzero(_is_peak(values, self._distance)[self._decided : ready]) + self._decided
        self._take(self._end - len(values) + peaks, values[peaks])
        kept = len(values) if final else max(0, ready - self._distance)
        self._pending = [] if final else [values[kept:].copy()]
        self._count = len(values) - kept
        self._decided = 0 if final else ready - kept

    def _take(self, positions: NDArray[np.int64], values: NDArray[np.floating[Any]]) -> None:
        """Keep peaks aside until they outweigh those that are ranked, so that ranking takes linear time in all."""
        if len(positions):
            self._found.append((positions, values))
            self._found_count += len(positions)
        if self._found_count >= max(_BLOCK, len(self._positions)):
            self._rank()

    def _rank(self) -> None:
        """Rank what was found, and keep the best."""
        if not self._found:
            return
        positions = np.concatenate([self._positions, *(positions for positions, _ in self._found)])
        values = np.concatenate([self._values, *(values for _, values in self._found)])
        best = np.lexsort((positions, -values))[: self._keep]
        self._positions, self._values = positions[best], values[best]
        self._found, self._found_count = [], 0


def _is_peak(values: NDArray[np.floating[Any]], distance: int) -> NDArray[np.bool_]:
    """Where a value beats its left neighbours and is not beaten by its right ones; -inf stands for "no score"."""
    if distance == 0:
        return values > 0
    padding = np.full(distance, -np.inf, dtype=values.dtype)
    highest = _windowed_maximum(np.concatenate([padding, values, padding]), distance)
    left, right = highest[: len(values)], highest[distance + 1 :]
    return (values > left) & (values >= right) & (values > 0)


def _windowed_maximum(values: NDArray[np.floating[Any]], width: int) -> NDArray[np.floating[Any]]:
    """Maximum of every `width` consecutive values, by doubling: log2(width) passes whatever the values."""
    span = 1
    while span < width:
        step = min(span, width - span)
        values = np.maximum(values[:-step], values[step:])
        span += step
    return values
