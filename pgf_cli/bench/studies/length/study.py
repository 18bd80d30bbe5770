"""Time and peak memory against length: does a base cost the same however long the sequence is?

Four series: both sweeps over everything, and each from a single base, one pulse at the left end or one target at the
right. What they seed decays to nothing over millions of bases, among numbers that a processor may be slow at.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from pgf_cli.bench.framework.experiment import Effort, Experiment, Outcome, Setting
from pgf_cli.bench.framework.figures import looks
from pgf_cli.bench.framework.timing import watch
from pgf_cli.bench.studies.length.report import LengthRow, describe, summarise, table
from pgf_cli.bench.subjects.random_models import random_bases, random_mamba
from pgf_cli.bench.subjects.sizes import LENGTH, Sizes
from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.directions import Contrast, Direction, Pulse, Pulses
from pgf_cli.core.models import MambaLM
from pgf_cli.core.objectives import LogLikelihood, Targets
from pgf_cli.core.sweeps import adjoint_sweep, tangent_sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLAIM = "Time per base is the same within 10% from 10^5 bases on, and peak memory does not grow with length."

SNAPSHOT_BUDGET = 4 * 10**6
"""Bytes; little enough that the longer sequences' states are computed twice."""

LENGTHS: dict[Effort, tuple[int, ...]] = {
    "quick": (10_000, 20_000, 50_000),
    "published": (10_000, 100_000, 1_000_000, 10_000_000),
    "extended": (10_000, 100_000, 1_000_000, 10_000_000, 100_000_000),
}
TILE = 512
"""Bases per tile, the same for every model and machine: figures of different ones can be laid side by side."""
REPEATED_UP_TO = 1_000_000
REPEATS = 3
"""Of lengths up to a million; longer ones are long enough to average over the machine's moods."""

Sweep = Callable[[int], float]
"""Sweeps a sequence of a length; returns how many sweeps' worth of tiles was read beyond the necessary."""


def run(setting: Setting, sizes: Sizes = LENGTH) -> Outcome:
    """Measure."""
    lengths = LENGTHS[setting.effort]
    model = random_mamba(sizes, setting.seed)
    sweeps = make_sweeps(model, random_bases(max(lengths), setting.seed))
    for sweep in sweeps.values():
        sweep(2 * TILE)
    rows: list[LengthRow] = []
    # Round after round over all lengths, so that a slow minute of the machine falls on all of them.
    for turn in range(1, REPEATS + 1):
        for length in lengths:
            if turn == 1 or length <= REPEATED_UP_TO:
                rows += _measure(sweeps, length, turn, rows, setting)
    summary = summarise(rows)
    finding, holds = describe(str(sizes), rows, summary)
    return Outcome(rows, finding, holds, summary, partial(draw, rows), table(rows))


def make_sweeps(model: MambaLM, codes: BaseCodes) -> dict[str, Sweep]:
    """Return the four series by name."""

    def tangent(direction: Direction, length: int) -> float:
        for _ in tangent_sweep(model, codes, direction, end=length, tile=TILE):
            pass
        return 0.0

    def adjoint(targets: Callable[[int], Targets | None], length: int) -> float:
        objective = LogLikelihood(targets(length), model.dtype, model.device)
        sweep = adjoint_sweep(model, codes[:length], objective, end=length, tile=TILE, budget=SNAPSHOT_BUDGET)
        for _ in sweep:
            pass
        return sweep.schedule.extra_tiles / sweep.schedule.tiles

    return {
        "tangent": partial(tangent, Contrast()),
        "tangent of one pulse": partial(tangent, Pulses([Pulse(0)])),
        "adjoint": partial(adjoint, lambda _: None),
        "adjoint of one target": partial(adjoint, lambda length: Targets([(length - 1, length)])),
    }


def _measure(
    sweeps: dict[str, Sweep], length: int, turn: int, so_far: list[LengthRow], setting: Setting
) -> list[LengthRow]:
    """Run every series once at one length."""
    rows = []
    for name, sweep in sweeps.items():
        expected = _expected_seconds(name, length, so_far)
        if setting.seconds is not None and expected > setting.seconds:
            if turn == 1:
                note = f"left out: would take about {expected:,.0f} s"
                rows.append(LengthRow(name, length, None, None, None, None, None, note))
            continue
        setting.progress.message(f"{name}, {length:,} bases, run {turn}")
        extra: list[float] = []
        seconds, peak = watch(partial(_keep, sweep, length, extra))
        rows.append(LengthRow(name, length, turn, seconds, 1e6 * seconds / length, peak, extra[0], ""))
    return rows


def _keep(sweep: Sweep, length: int, extra: list[float]) -> None:
    extra.append(sweep(length))


def _expected_seconds(name: str, length: int, so_far: list[LengthRow]) -> float:
    """From the longest length so far; the shortest pay for what every sweep begins with."""
    runs = [row for row in so_far if row.series == name and row.seconds is not None]
    longest = max(runs, key=lambda row: row.length, default=None)
    return 0.0 if longest is None or longest.seconds is None else length * longest.seconds / longest.length


def draw(rows: list[LengthRow], figure: "Figure") -> None:
    """Draw time and memory against length."""
    figure.set_size_inches(11, 5)
    time, memory = figure.subplots(1, 2)
    for name, look in looks(dict.fromkeys(row.series for row in rows)).items():
        medians = [row for row in table(rows) if row.series == name and row.microseconds_per_base is not None]
        lengths = [row.length for row in medians]
        time.plot(lengths, [row.microseconds_per_base for row in medians], label=name, **look._asdict())
        peaks = [math.nan if row.peak_mb is None else row.peak_mb for row in medians]
        memory.plot(lengths, peaks, label=name, **look._asdict())
    for axes, label in ((time, "microseconds per base"), (memory, "peak memory (MB above what was resident)")):
        axes.set(xscale="log", xlabel="length (bases)", ylabel=label)
        axes.set_ylim(bottom=0)
    time.legend()


EXPERIMENT = Experiment(claim=CLAIM, run=run)
