"""What ``bench pulse`` says of its responses."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgf_cli.bench.framework.figures import COLOURS, looks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 500
"""Of a profile: the largest response in each is drawn, so that a narrow one is not drawn past."""
EXACT = 1e-4
"""Relative error up to which a float32 response is the exact one."""
NOISE = "impulse in noise"


class PulseRow(NamedTuple):
    """One pulse."""

    subject: str
    length: int
    position: int
    """0-based."""
    alt: str
    """The base it substitutes; empty for an impulse."""
    height: float
    """The largest response within 16 bases."""
    half_life: int | None
    """Bases from there until half of it; None where it is not reached."""
    reach: int | None
    """From the pulse to the last base with 1% of the height."""
    followed: int
    """Bases."""
    beyond_100: float
    """Share of the summed response that lies more than 100 bases downstream."""
    echo: float
    """Response at the next base: what has passed through the model's memory."""
    echo_half_life: int | None
    """As of the pulse itself, but from the next base on."""
    echo_reach: int | None
    last: float
    """Response at the last base followed."""
    before: float
    """Largest response before the pulse."""
    error: float = math.nan
    """Relative, against float64; one figure for all substitutions."""
    seconds: float = math.nan
    """Of the sweep; for substitutions that of all, divided by their number."""


class TableRow(NamedTuple):
    """Pulses of one subject; their medians and 5th and 95th percentiles."""

    subject: str
    length: int
    pulses: int
    height: float
    half_life: float
    half_life_5: float
    half_life_95: float
    reach: float
    reach_5: float
    reach_95: float
    beyond_100: float
    echo: float
    echo_half_life: float
    echo_reach: float
    before: float
    """The largest."""
    error: float
    seconds: float


class Profile(NamedTuple):
    """A response along a whole sequence."""

    name: str
    largest: Sequence[float]
    """In each of ``BINS`` equal stretches."""


def share_beyond(values: NDArray[np.floating], distance: int) -> float:
    """Return the share of a response's sum that is farther downstream than `distance`."""
    total = float(values.sum())
    return float(values[distance + 1 :].sum()) / total if total > 0 else math.nan


def table(rows: Sequence[PulseRow]) -> list[TableRow]:
    """Return a row for every subject and length."""
    groups = dict.fromkeys((row.subject, row.length) for row in rows)
    return [_table_row([row for row in rows if (row.subject, row.length) == group]) for group in groups]


def _table_row(rows: Sequence[PulseRow]) -> TableRow:
    life, reach = _quantiles([row.half_life for row in rows]), _quantiles([row.reach for row in rows])
    return TableRow(
        rows[0].subject,
        rows[0].length,
        len(rows),
        float(np.median([row.height for row in rows])),
        life.median,
        life.low,
        life.high,
        reach.median,
        reach.low,
        reach.high,
        float(np.median([row.beyond_100 for row in rows])),
        float(np.median([row.echo for row in rows])),
        _quantiles([row.echo_half_life for row in rows]).median,
        _quantiles([row.echo_reach for row in rows]).median,
        max(row.before for row in rows),
        rows[0].error,
        sum(row.seconds for row in rows),
    )


class _Quantiles(NamedTuple):
    median: float
    low: float
    high: float


def _quantiles(values: Sequence[int | None]) -> _Quantiles:
    """Median, 5th and 95th percentile; what was not reached counts as infinite."""
    known = [math.inf if value is None else value for value in values]
    return _Quantiles(*(float(np.quantile(known, share, method="inverted_cdf")) for share in (0.5, 0.05, 0.95)))


def summarise(rows: Sequence[PulseRow]) -> dict[str, float]:
    """Return heights and errors of the impulses, and quantiles of half-life and reach of each model's substitutions."""
    impulses = [row for row in rows if row.subject == NOISE]
    summary = {
        "longest": float(max(row.length for row in impulses)),
        "lowest_height": min(row.height for row in impulses),
        "highest_height": max(row.height for row in impulses),
        "lowest_echo": min(row.echo for row in impulses),
        "highest_echo": max(row.echo for row in impulses),
        "shortest_echo_reach": min(row.echo_reach or 0 for row in impulses),
        "longest_echo_reach": max(row.echo_reach or 0 for row in impulses),
        # A step that would be a denormal is none, so that a float32 tangent stops decaying above zero.
        "lowest_last": min(row.last for row in rows),
        "largest_before": max(row.before for row in rows),
        # NaN is no agreement, and max() may lose it.
        "largest_error": float(np.max([row.error for row in rows])),
    }
    for each in table(rows):
        if each.subject != NOISE:
            name = each.subject.replace(" ", "_")
            figures = each._asdict()
            wanted = (key for key in figures if key.startswith(("half_life", "reach", "beyond")))
            summary |= {f"{name}_{key}": figures[key] for key in wanted}
            here = [row for row in rows if row.subject == each.subject]
            summary[f"{name}_longest_reach"] = max(row.reach or 0 for row in here)
            summary[f"{name}_not_over"] = sum(row.reach == row.followed - 1 for row in here) / len(here)
    return summary


def describe(rows: Sequence[PulseRow], summary: dict[str, float]) -> tuple[str, bool]:
    """Return the finding in words, and whether every response is exact and zero before its pulse."""
    exact = bool(summary["largest_error"] <= EXACT)
    found = summary["lowest_height"] > 0 and summary["lowest_echo"] > 0
    words = [
        f"an impulse is found at every length to {summary['longest']:,.0f}, "
        f"{summary['lowest_height']:.4g} to {summary['highest_height']:.4g} high; one step later, through the state, "
        f"{summary['lowest_echo']:.2g} to {summary['highest_echo']:.2g} are left, which fall below 1% after "
        f"{summary['shortest_echo_reach']:,.0f} to {summary['longest_echo_reach']:,.0f} steps",
        "exactly zero before every pulse"
        if summary["largest_before"] == 0
        else f"NOT ZERO BEFORE: {summary['largest_before']:.1e}",
        f"error against float64 {summary['largest_error']:.1e}{'' if exact else ': NOT EXACT'}",
    ]
    words += [
        f"{each.subject}, {each.pulses:,} substitutions in {each.length:,} bases: half-life "
        f"{each.half_life:,.0f} bases (5% to 95%: {each.half_life_5:,.0f} to {each.half_life_95:,.0f}), "
        f"reach {each.reach:,.0f} ({each.reach_5:,.0f} to {each.reach_95:,.0f})"
        for each in table(rows)
        if each.subject != NOISE
    ]
    return "; ".join(words), found and exact and summary["largest_before"] == 0


def draw(rows: Sequence[PulseRow], profiles: Sequence[Profile], figure: "Figure") -> None:
    """Draw the response along the noise, and how half-life and reach are distributed."""
    figure.set_size_inches(11, 5)
    noise, spread = figure.subplots(1, 2)
    middles = (np.arange(BINS) + 0.5) / BINS
    for profile, look in zip(profiles, looks(profile.name for profile in profiles).values(), strict=True):
        largest = np.array(profile.largest)
        shown = np.where(largest > 0, largest, np.nan)
        noise.plot(middles, shown, label=profile.name, color=look.color)
    noise.set(yscale="log", xlabel="position / length", ylabel="norm of y_dot (largest in 1/500 of the length)")
    noise.set(xlim=(0, 1), title="impulse in noise; exactly zero is not drawn")
    noise.legend()
    subjects = dict.fromkeys(row.subject for row in rows if row.subject != NOISE)
    for subject, colour in zip(subjects, COLOURS, strict=False):
        here = [row for row in rows if row.subject == subject]
        _distribution(spread, [row.half_life for row in here], f"half-life, {subject}", colour, "--")
        _distribution(spread, [row.reach for row in here], f"reach, {subject}", colour, "-")
    spread.set(xscale="log", xlabel="bases", ylabel="share of substitutions", ylim=(0, 1), title="substitutions")
    spread.legend()


def _distribution(axes: "Axes", values: Sequence[int | None], label: str, colour: str, style: str) -> None:
    known = sorted(max(1, value) for value in values if value is not None)
    axes.step(known, np.arange(1, len(known) + 1) / len(values), where="post", label=label, color=colour, ls=style)
