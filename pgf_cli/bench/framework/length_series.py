"""Contestants at growing lengths, each until the next one would take too long or too much memory."""

import gc
from collections.abc import Sequence
from itertools import chain, product
from typing import NamedTuple

from torch import Tensor

from pgf_cli.bench.framework.affordable import MEMORY_SHARE
from pgf_cli.bench.framework.contestants import Contestant, Derivation, failure_note
from pgf_cli.bench.framework.experiment import Setting
from pgf_cli.bench.framework.timing import free_memory, watch

RESOLUTION = 500_000
"""Bytes within which two peaks are the same: the system counts resident pages in batches."""


class SeriesRun(NamedTuple):
    """One run of a contestant at one length, or why it was not run."""

    contestant: Contestant
    length: int
    run: int | None
    """From 1."""
    seconds: float | None
    peak_bytes: int | None
    """That the process grew by."""
    derivative: Tensor | None
    note: str


def measure_series(
    contestants: Sequence[Contestant],
    lengths: Sequence[int],
    repeats: int,
    seconds: float | None,
    setting: Setting,
    subject: str,
) -> list[SeriesRun]:
    """Measure every contestant at every length that it can be given.

    Time and memory are expected to grow as the length. Beforehand each runs once at the shortest length, unmeasured:
    a first run may compile.

    Args:
        contestants: what is measured; their derivatives are kept, so they are small.
        lengths: bases, growing.
        repeats: rounds at each length, over all contestants, so that a slow minute of the machine falls on all; rivals,
            which take their time, are in the first alone.
        seconds: what a single run may be expected to take; None: anything.
        setting: whose progress is told.
        subject: what is differentiated, in words for the progress.
    """
    runs: dict[str, list[SeriesRun]] = {each.name: [] for each in contestants}
    broken: dict[str, str] = {}
    for each in contestants:
        setting.progress.message(f"{subject}: warming up {each.name}")
        broken |= _try(each, lengths[0])
    # What lives now, whole libraries among it, need not be searched for garbage before each run.
    gc.freeze()
    try:
        for length in lengths:
            works = {each.name: each.prepare(length) for each in contestants if each.name not in broken}
            for turn, each in product(range(1, repeats + 1), contestants):
                if turn > 1 and each.rival:
                    continue
                so_far = runs[each.name]
                note = broken.get(each.name) or _refusal(so_far, length, seconds)
                if not note:
                    setting.progress.message(f"{subject}: {each.name}, {length:,} bases, run {turn}")
                    so_far.append(_measure(each, length, turn, works[each.name]))
                elif turn == 1:
                    so_far.append(SeriesRun(each, length, None, None, None, None, note))
    finally:
        gc.unfreeze()
    return list(chain.from_iterable(runs.values()))


def _measure(contestant: Contestant, length: int, turn: int, work: Derivation) -> SeriesRun:
    kept: list[Tensor | None] = []

    def run() -> None:
        kept.append(work())

    seconds, peak = watch(run)
    return SeriesRun(contestant, length, turn, seconds, peak, kept[0], "")


def _try(contestant: Contestant, length: int) -> dict[str, str]:
    """Why a rival cannot be run, by its name."""
    try:
        contestant.prepare(length)()
    except Exception as error:
        # Whatever somebody else's code does, what is measured beside it is not lost.
        if not contestant.rival:
            raise
        return {contestant.name: failure_note(error)}
    return {}


def _refusal(so_far: Sequence[SeriesRun], length: int, seconds: float | None) -> str:
    """Why the length would be too much, going by the longest one that was run; empty where it is not."""
    last = max((run for run in so_far if run.run == 1), key=lambda run: run.length, default=None)
    if last is None or last.seconds is None or last.length == length:
        return ""
    longer = length / last.length
    if seconds is not None and last.seconds * longer > seconds:
        return f"left out: would take about {last.seconds * longer:,.0f} s"
    memory, free = (last.peak_bytes or 0) * longer, free_memory()
    if free is not None and memory > free * MEMORY_SHARE:
        return f"left out: would take about {memory / 1e9:,.1f} GB"
    return ""
