"""What ``bench gradients`` says of its measurements."""

import math
from collections.abc import Sequence

from pgf_cli.bench.baselines.ours import ADJOINT
from pgf_cli.bench.baselines.plain import AUTOGRAD, CHECKPOINTING
from pgf_cli.bench.studies.length_series_report import (
    EXACT_WITHIN,
    FLAT_WITHIN,
    SeriesRow,
    growth,
    largest_error,
    memory_exponent,
    paces,
    peaks,
    ratio,
)
from pgf_cli.bench.subjects.layered import Subject

LINEAR_FROM = 0.9
"""Exponent of memory against length from which on it counts as growing with it."""
FROM = 6000
"""Bases from which on the exponent tells: at fewer, what any run takes bends it."""


def summarise(subjects: Sequence[Subject], rows: Sequence[SeriesRow]) -> dict[str, float]:
    """Return for every model how peaks grow, and ours against the others' at the longest length of both."""
    summary: dict[str, float] = {}
    for subject in subjects:
        ours, pace = peaks(rows, subject.words, ADJOINT), paces(rows, subject.words, ADJOINT)
        summary |= {
            f"{subject.name}_growth_mb": growth(rows, subject.words, ADJOINT) / 1e6,
            f"{subject.name}_mb": max(ours.values(), default=math.nan) / 1e6,
            f"{subject.name}_longest": max(pace, default=0),
        }
        for rival in (AUTOGRAD, CHECKPOINTING):
            name, theirs = f"{subject.name}_{rival}", paces(rows, subject.words, rival)
            length = max(theirs.keys() & pace.keys(), default=0)
            summary |= {
                f"{name}_length": length,
                f"{name}_mb": peaks(rows, subject.words, rival).get(length, math.nan) / 1e6,
                f"{name}_memory_exponent": memory_exponent(rows, subject.words, rival),
                f"{name}_memory_share": ratio(ours, peaks(rows, subject.words, rival), length),
                f"{name}_time_over_ours": ratio(theirs, pace, length),
            }
    return summary | {"largest_error": largest_error(rows, [ADJOINT])}


def describe(
    subjects: Sequence[Subject], rows: Sequence[SeriesRow], summary: dict[str, float]
) -> tuple[str, bool | None]:
    """Return the finding in words, and whether the claim holds of every model; None where too little was measured."""
    grown = [summary[f"{subject.name}_growth_mb"] for subject in subjects]
    slopes = [summary[f"{subject.name}_{AUTOGRAD}_memory_exponent"] for subject in subjects]
    flat = all(each * 1e6 <= FLAT_WITHIN for each in grown if not math.isnan(each))
    long = all(summary[f"{subject.name}_{AUTOGRAD}_length"] >= FROM for subject in subjects)
    linear = not long or all(each >= LINEAR_FROM for each in slopes)
    exact = summary["largest_error"] <= EXACT_WITHIN
    said = [_of_one(subject, summary) for subject in subjects]
    said.append(f"gradients are within {summary['largest_error']:.0e} of float64")
    if not flat:
        said.append("OUR PEAKS ARE NOT FLAT")
    if not linear:
        said.append("autograd's memory does not grow as the length")
    if not exact:
        said.append("THE GRADIENTS ARE WRONG")
    told = long and not any(map(math.isnan, grown))
    holds = flat and linear and exact
    return "; ".join(said), holds if told or not holds else None


def _of_one(subject: Subject, summary: dict[str, float]) -> str:
    auto, segments = f"{subject.name}_{AUTOGRAD}", f"{subject.name}_{CHECKPOINTING}"
    ours, growth_mb, longest = (summary[f"{subject.name}_{name}"] for name in ("mb", "growth_mb", "longest"))
    theirs, exponent, length = (summary[f"{auto}_{name}"] for name in ("mb", "memory_exponent", "length"))
    slower = [summary[f"{rival}_time_over_ours"] for rival in (auto, segments)]
    return (
        f"{subject.words}: the adjoint's peak is {ours:,.1f} MB up to {longest:,.0f} bases and grows by "
        f"{growth_mb:,.1f} MB from the second length; autograd's grows with exponent {exponent:.2f} to "
        f"{theirs:,.0f} MB at {length:,.0f}, checkpointing's at its best to {summary[f'{segments}_mb']:,.1f} MB at "
        f"{summary[f'{segments}_length']:,.0f}; they take {slower[0]:.1f} and {slower[1]:.1f} times our time"
    )
