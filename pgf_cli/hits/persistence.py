"""How long an effect lasts: lag, half-life and reach of the response to a pulse. All lengths are in bases."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating[Any]]
ReadTrack = Callable[[int, int], Values]
"""Reads a track at positions [start, end)."""

PEAK_BASES = 16
REACH_SHARE = 0.01
_CHUNK = 1 << 16


def nearest_pulse(position: int, pulses: Sequence[int]) -> int | None:
    """Return the index of the nearest pulse at or before a position, among sorted positions; None before the first."""
    index = bisect_right(pulses, position) - 1
    return index if index >= 0 else None


def lags(positions: NDArray[np.integer], pulses: Sequence[int], *, both_sides: bool) -> NDArray[np.integer]:
    """Return how many bases lie between positions (L,) and the nearest pulse.

    Args:
        positions: 0-based.
        pulses: sorted, at least one.
        both_sides: the nearest on either side; else the nearest at or before, and less than 0 before the first.
    """
    places = np.asarray(pulses)
    before: NDArray[np.integer] = (
        positions - places[np.maximum(np.searchsorted(places, positions, side="right") - 1, 0)]
    )
    if not both_sides:
        return before
    after = places[np.minimum(np.searchsorted(places, positions), len(places) - 1)] - positions
    nearest: NDArray[np.integer] = np.minimum(np.abs(before), np.abs(after))
    return nearest


def half_life(read: ReadTrack, position: int, end: int) -> int | None:
    """Return how many bases after ``position`` the track first stands at half its value there or less.

    Args:
        read: the track.
        position: 0-based.
        end: where the search ends: the next pulse, or the end of what is known.

    Returns:
        None where it does not fall that far before ``end``.
    """
    half = read(position, position + 1)[0] / 2
    for start, values in _chunks(read, position + 1, end):
        fallen = np.flatnonzero(values <= half)
        if len(fallen):
            return start + int(fallen[0]) - position
    return None


def reach(read: ReadTrack, pulse: int, end: int) -> int | None:
    """Return how far from a pulse lies the last base with at least 1% of the maximum within 16 bases of the pulse.

    Args:
        read: the track.
        pulse: the pulse's position, 0-based.
        end: where the search ends: the next pulse, or the end of what is known.

    Returns:
        None where the track is zero throughout those 16 bases.
    """
    highest = read(pulse, min(end, pulse + PEAK_BASES + 1)).max()
    if not highest > 0:
        return None
    farthest = 0
    for start, values in _chunks(read, pulse, end):
        strong = np.flatnonzero(values >= REACH_SHARE * highest)
        if len(strong):
            farthest = start + int(strong[-1]) - pulse
    return farthest


def _chunks(read: ReadTrack, start: int, end: int) -> Iterator[tuple[int, Values]]:
    for at in range(start, end, _CHUNK):
        yield at, read(at, min(end, at + _CHUNK))
