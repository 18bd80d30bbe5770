"""What ``bench length`` says of its measurements: slopes, and time and memory relative to a shorter length."""

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from pgf_cli.bench.framework.slopes import fit_slope

FROM = 100_000
"""Bases from which on time per base and memory are compared."""
WITHIN = 0.10
MEMORY_WITHIN = 2e6
"""Bytes that the peak of the same work may differ by: pages, and what a thread's heap happens to hold."""


class LengthRow(NamedTuple):
    """One run, or a length that was left out."""

    series: str
    length: int
    run: int | None
    """From 1."""
    seconds: float | None
    microseconds_per_base: float | None
    peak_bytes: int | None
    """That the process grew by."""
    extra_sweeps: float | None
    """Tiles read forwards beyond the first forward sweep, for each tile there is: the snapshot schedule's regime."""
    note: str


class TableRow(NamedTuple):
    """One series at one length, medians of its runs."""

    series: str
    length: int
    microseconds_per_base: float | None
    relative: float | None
    """Time per base relative to the first length in the same regime from 10^5 on."""
    peak_mb: float | None
    extra_sweeps: float | None
    note: str


def table(rows: Sequence[LengthRow]) -> list[TableRow]:
    """Return a row for every series and length."""
    found = []
    for series in dict.fromkeys(row.series for row in rows):
        here = [row for row in rows if row.series == series]
        for length in dict.fromkeys(row.length for row in here):
            found.append(_table_row(here, length))
    return found


def summarise(rows: Sequence[LengthRow]) -> dict[str, float]:
    """Return slopes with their intervals, the largest departure of time per base, and the growth of memory."""
    summary: dict[str, float] = {}
    for series in dict.fromkeys(row.series for row in rows):
        name = series.replace(" ", "_")
        measured = [row for row in rows if row.series == series and row.seconds is not None]
        slope = fit_slope([row.length for row in measured], [row.seconds or math.nan for row in measured])
        summary |= {f"{name}_slope": slope.exponent, f"{name}_slope_low": slope.low, f"{name}_slope_high": slope.high}
        long = [each for each in table(measured) if each.length >= FROM]
        summary[f"{name}_departure"] = max((abs(each.relative - 1) for each in long if each.relative), default=math.nan)
        peaks = [each.peak_mb for each in long if each.peak_mb is not None]
        summary[f"{name}_memory_growth_mb"] = peaks[-1] - peaks[0] if peaks else math.nan
        summary[f"{name}_longest"] = max((row.length for row in measured), default=math.nan)
    for sweep, single in (("tangent", "tangent of one pulse"), ("adjoint", "adjoint of one target")):
        summary[f"{single.replace(' ', '_')}_over_{sweep}"] = _slow_down(table(rows), single, sweep)
    return summary


def describe(subject: str, rows: Sequence[LengthRow], summary: dict[str, float]) -> tuple[str, bool | None]:
    """Return the finding in words, and whether time and memory are flat; None where nothing from 10^5 on was run."""
    series = dict.fromkeys(row.series.replace(" ", "_") for row in rows)
    departure = max(summary[f"{name}_departure"] for name in series)
    growth = max(summary[f"{name}_memory_growth_mb"] for name in series)
    finding = (
        f"{subject}, up to {max(summary[f'{name}_longest'] for name in series):,.0f} bases: "
        f"time grows as length to the power {_slope(summary, 'tangent')} for the tangent and "
        f"{_slope(summary, 'adjoint')} for the adjoint; from {FROM:,} bases on time per base differs by at most "
        f"{departure:.0%} within a snapshot regime and peak memory grows by {growth:,.1f} MB; one pulse costs "
        f"{summary['tangent_of_one_pulse_over_tangent']:.2f} and one target "
        f"{summary['adjoint_of_one_target_over_adjoint']:.2f} of the whole sweep's time"
    )
    if math.isnan(departure):
        return finding, None
    return finding, departure <= WITHIN and not growth * 1e6 > MEMORY_WITHIN


def _slope(summary: dict[str, float], series: str) -> str:
    low, high = summary[f"{series}_slope_low"], summary[f"{series}_slope_high"]
    return f"{summary[f'{series}_slope']:.3f} (95% interval {low:.3f} to {high:.3f})"


def _table_row(series: Sequence[LengthRow], length: int) -> TableRow:
    here = [row for row in series if row.length == length and row.microseconds_per_base is not None]
    if not here:
        note = next(row.note for row in series if row.length == length)
        return TableRow(series[0].series, length, None, None, None, None, note)
    regime = _regime(here[0])
    first = min((row.length for row in series if row.length >= FROM and _regime(row) == regime), default=None)
    time = _median_time(series, length)
    peaks = [row.peak_bytes for row in here if row.peak_bytes is not None]
    return TableRow(
        here[0].series,
        length,
        time,
        None if first is None else time / _median_time(series, first),
        median(peaks) / 1e6 if peaks else None,
        here[0].extra_sweeps,
        here[0].note,
    )


def _regime(row: LengthRow) -> int:
    """How often a tile is read forwards beyond the first time, at most; -1 where nothing was measured."""
    return -1 if row.extra_sweeps is None else math.ceil(row.extra_sweeps)


def _median_time(series: Sequence[LengthRow], length: int) -> float:
    times = [row.microseconds_per_base for row in series if row.length == length]
    return median(time for time in times if time is not None)


def _slow_down(rows: Sequence[TableRow], single: str, whole: str) -> float:
    """Time per base of the one over the other at the longest length where both were measured."""
    times = {(row.series, row.length): row.microseconds_per_base for row in rows if row.microseconds_per_base}
    lengths = [length for series, length in times if series == single and (whole, length) in times]
    return times[single, max(lengths)] / times[whole, max(lengths)] if lengths else math.nan
