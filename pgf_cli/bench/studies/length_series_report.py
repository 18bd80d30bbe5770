"""What is said of contestants at growing lengths: rows, ratios, growth, figure."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from pgf_cli.bench.baselines.plain import CHECKPOINTING
from pgf_cli.bench.framework.contestants import relative_error
from pgf_cli.bench.framework.figures import looks
from pgf_cli.bench.framework.length_series import SeriesRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLAT_WITHIN = 2e6
"""Bytes that the peak of the same work may differ by: pages, and what the allocator happens to hold."""
EXACT_WITHIN = 1e-4
"""Relative error in float32 up to which a derivative is right: a wrong term is far above it."""


class SeriesRow(NamedTuple):
    """One run, or a length that was left out."""

    subject: str
    contestant: str
    length: int
    run: int | None
    seconds: float | None
    microseconds_per_base: float | None
    peak_bytes: int | None
    """That the process grew by."""
    error: float | None
    """Relative, against float64; None where float64 was not computed at this length."""
    note: str


class SeriesTableRow(NamedTuple):
    """One contestant at one length: the median time of its runs, and the least peak.

    A peak is of the whole process: whatever else happens in it, a library's pages coming back from disk, only adds.
    """

    subject: str
    contestant: str
    length: int
    microseconds_per_base: float | None
    peak_mb: float | None
    error: float | None
    note: str


def series_rows(subject: str, runs: Sequence[SeriesRun], exact: Mapping[int, Tensor]) -> list[SeriesRow]:
    """Return a row for every run; `exact` has the derivative in float64, by length."""
    return [_row(subject, run, exact.get(run.length)) for run in runs]


def _row(subject: str, measured: SeriesRun, exact: Tensor | None) -> SeriesRow:
    contestant, length, run, seconds, peak, derivative, note = measured
    error = None if exact is None or derivative is None else relative_error(derivative, exact)
    pace = None if seconds is None else 1e6 * seconds / length
    return SeriesRow(subject, contestant.name, length, run, seconds, pace, peak, error, note)


def series_table(rows: Sequence[SeriesRow]) -> list[SeriesTableRow]:
    """Return a row for every subject, contestant and length."""
    found = []
    for subject, contestant, length in dict.fromkeys((row.subject, row.contestant, row.length) for row in rows):
        here = of(rows, subject, contestant, length)
        peaks = [row.peak_bytes / 1e6 for row in here if row.peak_bytes is not None]
        paces = [row.microseconds_per_base for row in here if row.microseconds_per_base is not None]
        found.append(
            SeriesTableRow(
                subject,
                contestant,
                length,
                median(paces) if paces else None,
                min(peaks) if peaks else None,
                here[0].error,
                here[0].note,
            )
        )
    return found


def of(rows: Sequence[SeriesRow], subject: str, contestant: str, length: int | None = None) -> list[SeriesRow]:
    """Return the rows of a contestant, at one length or at all."""
    return [
        row for row in rows if (row.subject, row.contestant) == (subject, contestant) and length in (None, row.length)
    ]


def peaks(rows: Sequence[SeriesRow], subject: str, contestant: str) -> dict[int, float]:
    """Return the least peaks in bytes, by length."""
    found = [row for row in series_table(of(rows, subject, contestant)) if row.peak_mb is not None]
    return {row.length: 1e6 * row.peak_mb for row in found if row.peak_mb is not None}


def paces(rows: Sequence[SeriesRow], subject: str, contestant: str) -> dict[int, float]:
    """Return median microseconds per base, by length."""
    found = series_table(of(rows, subject, contestant))
    return {row.length: row.microseconds_per_base for row in found if row.microseconds_per_base is not None}


def growth(rows: Sequence[SeriesRow], subject: str, contestant: str) -> float:
    """Return by how many bytes the peak grows from the second length, where all that is kept is there, to the last."""
    by_length = list(peaks(rows, subject, contestant).values())[1:]
    return by_length[-1] - by_length[0] if len(by_length) > 1 else math.nan


def memory_exponent(rows: Sequence[SeriesRow], subject: str, contestant: str) -> float:
    """Return the power of the length with which the peak grows between the two longest; NaN for fewer than two."""
    *_, (length, peak), (longer, more) = [(1, 0.0), (1, 0.0), *peaks(rows, subject, contestant).items()]
    return math.log(more / peak, longer / length) if peak and more else math.nan


def ratio(values: Mapping[int, float], others: Mapping[int, float], length: int) -> float:
    """Return one over the other at a length; NaN where one was not measured."""
    return values[length] / others[length] if others.get(length) and length in values else math.nan


def largest_error(rows: Sequence[SeriesRow], contestants: Sequence[str]) -> float:
    """Return the largest error of any run of these; NaN where one is, or where there is none."""
    errors = [row.error for row in rows if row.contestant in contestants and row.error is not None]
    return math.nan if any(map(math.isnan, errors)) else max(errors, default=math.nan)


def draw_series(rows: Sequence[SeriesRow], figure: "Figure") -> None:
    """Draw peak memory and time per base against length, a column for every subject."""
    subjects = list(dict.fromkeys(row.subject for row in rows))
    figure.set_size_inches(4.5 * len(subjects) + 2.5, 8)
    grid = figure.subplots(2, len(subjects), squeeze=False, sharex=True)
    shown = [row.contestant for row in rows if not row.contestant.startswith(f"{CHECKPOINTING},")]
    for name, look in looks(dict.fromkeys(shown)).items():
        for column, subject in enumerate(subjects):
            for axes, values in zip(grid[:, column], (peaks, paces), strict=True):
                by_length = values(rows, subject, name)
                scale = 1e-6 if values is peaks else 1
                heights = [scale * value for value in by_length.values()]
                axes.plot(list(by_length), heights, label=name, **look._asdict())
    for column, subject in enumerate(subjects):
        grid[0, column].set(xscale="log", yscale="log", title=subject)
        grid[1, column].set(xscale="log", yscale="log", xlabel="length (bases)")
    for axes in grid.flat:
        axes.xaxis.set_minor_formatter("")
    grid[0, 0].set_ylabel("peak memory (MB above what was resident)")
    grid[1, 0].set_ylabel("microseconds per base")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside right upper")
