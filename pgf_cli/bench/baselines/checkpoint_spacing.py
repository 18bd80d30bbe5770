"""Gradient checkpointing at its best: the number of segments that takes the least memory, found by trying."""

from collections.abc import Callable
from functools import partial
from math import sqrt
from typing import NamedTuple

from pgf_cli.bench.baselines.plain import CHECKPOINTING
from pgf_cli.bench.framework.contestants import Contestant, Derivation
from pgf_cli.bench.framework.experiment import Setting
from pgf_cli.bench.framework.length_series import RESOLUTION, SeriesRun, measure_series

FACTORS = (0.25, 0.5, 1.0, 2.0)
"""Of the square root of the length: bases in a segment. A step's graph is larger than a state, so few are best."""

OfSegment = Callable[[int, int], Derivation]
"""Makes the work for a length and a number of bases in a segment."""


class Spacing(NamedTuple):
    """Segments that grow as the square root of the length."""

    factor: float

    def __call__(self, length: int) -> int:
        """Return bases in a segment."""
        return max(1, round(self.factor * sqrt(length)))


def best_spacing(prepare: OfSegment, length: int, setting: Setting, subject: str) -> tuple[Spacing, list[SeriesRun]]:
    """Return the fastest spacing among those that take the least memory, and all runs.

    Peaks closer than the system tells count as the same.
    """

    def contestant(factor: float) -> Contestant:
        segment = Spacing(factor)(length)
        name = f"{CHECKPOINTING}, {segment} bases a segment"
        return Contestant(name, partial(prepare_one, segment), rival=True)

    def prepare_one(segment: int, length: int) -> Derivation:
        return prepare(length, segment)

    tried = measure_series([contestant(factor) for factor in FACTORS], [length], 1, None, setting, subject)
    least = min(run.peak_bytes or 0 for run in tried)
    good = [
        (run.seconds or 0.0, factor)
        for run, factor in zip(tried, FACTORS, strict=True)
        if (run.peak_bytes or 0) <= least + RESOLUTION
    ]
    return Spacing(min(good)[1]), tried
