"""What ``bench long`` says of its windows: whether later ones cost more or are less exact."""

import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pgf_cli.bench.framework.figures import looks
from pgf_cli.bench.framework.timing import Watched, median_peak

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WITHIN = 0.10
"""That the later half may take longer."""
MEMORY_WITHIN = 2e6
"""Bytes that the last window may take more than the first: pages, and what the allocator happens to hold."""
EXACT = 1e-4
"""Relative error up to which a float32 response is the exact one."""


class WindowRow(NamedTuple):
    """One window of one run."""

    subject: str
    window: int
    """From 1."""
    start: int
    """0-based position."""
    run: int
    """From 1."""
    seconds: float
    first_seconds: float
    """Of the first window of a fresh sweep, right before."""
    peak_bytes: int | None
    """That the process grew by, the window's own output included."""
    response: float
    """Mean over positions of the norm of y_dot."""
    error: float
    """Relative, against the sweep in float64."""
    definition_error: float = math.nan
    """Relative, of the sequence's first positions against the definition."""


class TableRow(NamedTuple):
    """One window, medians of its runs."""

    subject: str
    window: int
    start: int
    seconds: float
    over_first: float
    """Its time over that of a first window beside it."""
    peak_mb: float | None
    response: float
    error: float


def table(rows: Sequence[WindowRow]) -> list[TableRow]:
    """Return a row for every window."""
    groups: dict[tuple[str, int], list[WindowRow]] = {}
    for row in rows:
        groups.setdefault((row.subject, row.window), []).append(row)
    return [_table_row(group) for group in groups.values()]


def _table_row(runs: Sequence[WindowRow]) -> TableRow:
    seconds = median(run.seconds for run in runs)
    over_first = median(run.seconds / run.first_seconds for run in runs)
    peak = median_peak([Watched(run.seconds, run.peak_bytes) for run in runs])
    first = runs[0]
    megabytes = None if peak is None else peak / 1e6
    return TableRow(
        first.subject, first.window, first.start, seconds, over_first, megabytes, first.response, first.error
    )


def summarise(rows: Sequence[WindowRow]) -> dict[str, float]:
    """Return for each subject speed, how the later half of its windows compares with a first one, and errors."""
    summary: dict[str, float] = {}
    for subject in dict.fromkeys(row.subject for row in rows):
        found = [each for each in table(rows) if each.subject == subject]
        late = found[len(found) // 2 :]
        peaks = [each.peak_mb for each in found if each.peak_mb is not None]
        name = subject.split()[0].lower()
        summary |= {
            f"{name}_windows": len(found),
            f"{name}_seconds_per_window": median(each.seconds for each in found),
            f"{name}_late_over_first": median(each.over_first for each in late),
            f"{name}_peak_mb": max(peaks, default=math.nan),
            f"{name}_memory_growth_mb": peaks[-1] - peaks[0] if peaks else math.nan,
            f"{name}_lowest_response": min(each.response for each in found),
            f"{name}_highest_response": max(each.response for each in found),
            # NaN is no agreement, and max() may lose it.
            f"{name}_largest_error": float(np.max([each.error for each in found])),
            f"{name}_error_growth": found[-1].error / found[0].error if found[0].error else math.nan,
            f"{name}_definition_error": next(row.definition_error for row in rows if row.subject == subject),
        }
    return summary


def describe(rows: Sequence[WindowRow], summary: dict[str, float]) -> tuple[str, bool]:
    """Return the finding in words, and whether no window costs more or is less exact than another."""
    words, holds = [], True
    for subject in dict.fromkeys(row.subject for row in rows):
        name = subject.split()[0].lower()
        figures = {key.removeprefix(f"{name}_"): value for key, value in summary.items()}
        errors = max(figures["largest_error"], figures["definition_error"])
        exact = figures["largest_error"] <= EXACT and figures["definition_error"] <= EXACT
        words.append(
            f"{subject}: {figures['windows']:.0f} windows, {figures['seconds_per_window']:.2f} s each, the later half "
            f"{figures['late_over_first'] - 1:+.0%} beside a first one; peak {figures['peak_mb']:,.1f} MB, growing by "
            f"{figures['memory_growth_mb']:+,.1f} MB; response {figures['lowest_response']:.3g} to "
            f"{figures['highest_response']:.3g}; error against float64 {errors:.1e}{'' if exact else ': NOT EXACT'}"
        )
        flat = figures["late_over_first"] - 1 <= WITHIN
        holds = holds and exact and flat and not figures["memory_growth_mb"] * 1e6 > MEMORY_WITHIN
    return "; ".join(words), holds


def draw(rows: Sequence[WindowRow], figure: "Figure") -> None:
    """Draw time, memory, response and error of every window."""
    figure.set_size_inches(11, 7)
    panels = figure.subplots(2, 2, sharex=True)
    labels = (
        "time / that of a first window",
        "peak memory (MB above what was resident)",
        "mean norm of y_dot",
        "relative error",
    )
    values = ("over_first", "peak_mb", "response", "error")
    for axes, label, value in zip(panels.flat, labels, values, strict=True):
        for subject, look in looks(dict.fromkeys(row.subject for row in rows)).items():
            found = [each for each in table(rows) if each.subject == subject]
            heights = [getattr(each, value) for each in found]
            heights = [math.nan if height is None else height for height in heights]
            axes.plot([each.start / 1000 for each in found], heights, label=subject, **look._asdict())
        axes.set(ylabel=label)
        if value in ("response", "error"):
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
    for axes in panels[1]:
        axes.set_xlabel("start of the window (thousands of positions)")
    panels[0, 0].legend()
