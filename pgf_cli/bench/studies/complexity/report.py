"""What ``bench complexity`` says of its measurements: exponents, and whether any is above one."""

import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from pgf_cli.bench.framework.figures import looks
from pgf_cli.bench.framework.slopes import Slope, fit_slope

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS, LEARNING = "gradient of A_log, adjoint", "gradient of A_log, dense RTRL"
"""The two that appendix A.3 compares, at L 100."""
PAIR = (OURS, LEARNING)
LINEAR = 1.1
"""The exponent up to which cost is called linear."""
CLAIMED = ("state", "length", "directions", "layers")
"""Not the width: the projections' matrix products grow with its square."""
EXACT = 1e-4
"""Relative error up to which a float32 gradient is the exact one."""

AXES = {
    "state": "state size N",
    "channels": "width D",
    "length": "length L (bases)",
    "directions": "directions K",
    "layers": "layers",
}


class CostRow(NamedTuple):
    """One run, or a size that was left out."""

    series: str
    axis: str
    value: int
    run: int | None
    """From 1."""
    seconds: float | None
    note: str


class FitRow(NamedTuple):
    """One series along one axis."""

    series: str
    axis: str
    first: int
    last: int
    runs: int
    exponent: float
    low: float
    """Of the 95% interval."""
    high: float
    last_exponent: float
    """Between the medians at the last two values, where calls weigh least."""
    milliseconds_at_last: float
    """Median."""
    note: str


def fits(rows: Sequence[CostRow]) -> list[FitRow]:
    """Return a row for every series and axis."""
    groups: dict[tuple[str, str], list[CostRow]] = {}
    for row in rows:
        groups.setdefault((row.series, row.axis), []).append(row)
    return [_fit_row(group) for group in groups.values()]


def _fit_row(rows: Sequence[CostRow]) -> FitRow:
    times = [(row.value, row.seconds) for row in rows if row.seconds is not None]
    slope: Slope = fit_slope([value for value, _ in times], [seconds for _, seconds in times])
    medians = sorted(_milliseconds(rows, rows[0].series).items())
    (before, time_before), (last, time_last) = medians[-2:] if len(medians) > 1 else medians * 2
    steepness = math.log(time_last / time_before) / math.log(last / before) if last > before else math.nan
    note = next((row.note for row in rows if row.note), "")
    first = medians[0][0]
    return FitRow(rows[0].series, rows[0].axis, first, last, len(times), *slope, steepness, time_last, note)


def summarise(rows: Sequence[CostRow], error: float) -> dict[str, float]:
    """Return every exponent with its interval, what recurrent learning takes over ours, and the gradient's error."""
    summary: dict[str, float] = {}
    for fit in fits(rows):
        name = f"{fit.series}_{fit.axis}".replace(", ", "_").replace(" ", "_")
        summary |= {name: fit.exponent, f"{name}_low": fit.low, f"{name}_high": fit.high}
    slow, fast = (_milliseconds(rows, series) for series in (LEARNING, OURS))
    both = slow.keys() & fast.keys()
    summary["dense_rtrl_over_adjoint"] = slow[max(both)] / fast[max(both)] if both else math.nan
    summary["compared_at_state"] = max(both, default=0)
    summary["gradient_error"] = error
    return summary


def _milliseconds(rows: Sequence[CostRow], series: str) -> dict[int, float]:
    """Median time by state size."""
    here = [row for row in rows if row.series == series and row.seconds is not None]
    return {
        value: 1e3 * median(row.seconds for row in here if row.value == value and row.seconds is not None)
        for value in {row.value for row in here}
    }


def describe(rows: Sequence[CostRow], summary: dict[str, float]) -> tuple[str, bool | None]:
    """Return the finding in words, and whether all that is claimed linear is so; None where an interval is too wide."""
    found = fits(rows)
    ours = [fit for fit in found if fit.series != LEARNING and fit.axis in CLAIMED]
    learning = next(fit for fit in found if fit.series == LEARNING)
    steep = [fit for fit in ours if fit.low > LINEAR]
    wide = [fit for fit in ours if not fit.high <= LINEAR and fit not in steep]
    exact = bool(summary["gradient_error"] <= EXACT)
    words = [
        f"gradient of A_log in state size N: to the power {_words(learning)} for dense RTRL, "
        f"{_words(next(fit for fit in found if fit.series == OURS))} for ours, which is "
        f"{summary['dense_rtrl_over_adjoint']:,.0f} times faster at N {summary['compared_at_state']:.0f}; "
        f"the two agree within {summary['gradient_error']:.0e}{'' if exact else ': NOT THE SAME GRADIENT'}"
    ]
    for axis, name in AXES.items():
        here = [f"{fit.series} {fit.exponent:.2f}" for fit in found if fit.axis == axis and fit.series not in PAIR]
        words.append(f"tangent in {name}: {', '.join(here)}")
    if steep:
        words.append("ABOVE LINEAR: " + ", ".join(f"{fit.series} in {AXES[fit.axis]}" for fit in steep))
    if wide:
        words.append("not told by this measurement: " + ", ".join(f"{fit.series} in {AXES[fit.axis]}" for fit in wide))
    if steep or not exact:
        return "; ".join(words), False
    return "; ".join(words), None if wide or not learning.last_exponent > LINEAR else True


def _words(fit: FitRow) -> str:
    return f"{fit.exponent:.2f} ({fit.low:.2f} to {fit.high:.2f}; {fit.last_exponent:.2f} between the last two)"


def draw(rows: Sequence[CostRow], figure: "Figure") -> None:
    """Draw time along every axis, medians of the runs."""
    figure.set_size_inches(13, 8)
    panels = figure.subplots(2, 3)
    look = looks(dict.fromkeys(row.series for row in rows))
    # What appendix A.3 compares, and every family along every axis.
    shown = [("state", PAIR), *((axis, tuple(name for name in look if name not in PAIR)) for axis in AXES)]
    for axes, (axis, names) in zip(panels.flat, shown, strict=True):
        for name in names:
            times = _milliseconds([row for row in rows if row.axis == axis], name)
            points = sorted(times.items())
            if points:
                axes.plot(*zip(*points, strict=True), label=name, **look[name]._asdict())
        axes.set(xscale="log", yscale="log", xlabel=AXES[axis], ylabel="milliseconds")
        axes.xaxis.set_minor_formatter("")
        axes.legend(fontsize="small")
