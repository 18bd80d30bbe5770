"""How long a sequence a contestant can be given within the limits of time and memory, found by trying shorter ones."""

import math
from collections.abc import Callable
from typing import NamedTuple

from pgf_cli.bench.framework.timing import Watched, Work, free_memory, watch

SHORTEST = 256
FACTOR = 4
MEMORY_SHARE = 0.8
"""Of the free memory, that a run may be expected to take."""


class Affordable(NamedTuple):
    """The length that a contestant is measured at."""

    length: int
    shortened: str | None
    """Why it is shorter than was wanted."""


def affordable_length(prepare: Callable[[int], Work], wanted: int, seconds: float | None) -> Affordable:
    """Try a contestant at 256, 1,024, ... bases for as long as the next run is expected to fit.

    Time is expected to grow as between the last two lengths, memory linearly. Each length is run twice, because the
    first run may compile.

    Args:
        prepare: makes the contestant's work for a length.
        wanted: the length that it is wanted for.
        seconds: what a single run may take; None: anything.
    """
    length, growth = min(wanted, SHORTEST), 1.0
    last: Watched | None = None
    while length < wanted:
        work = prepare(length)
        work()
        run = watch(work)
        if last is not None:
            growth = max(1.0, math.log(run.seconds / last.seconds, FACTOR))
        longer = min(wanted, length * FACTOR)
        expected = run.seconds * (longer / length) ** growth
        if seconds is not None and expected > seconds:
            return Affordable(length, f"{longer:,} bases would take about {expected:,.0f} s")
        memory, free = (run.peak_bytes or 0) * longer / length, free_memory()
        if free is not None and memory > free * MEMORY_SHARE:
            return Affordable(length, f"{longer:,} bases would take about {memory / 1e9:,.1f} GB")
        last, length = run, longer
    return Affordable(length, None)
