"""What ``bench scaling`` says of its measurements."""

import math
from collections.abc import Sequence

from pgf_cli.bench.baselines.ours import ADJOINT, TANGENT
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

OURS = (TANGENT, ADJOINT)
SAVING, SPEED_UP = 0.94, 23
"""The paper's figures against autograd."""
FROM = 6000
"""Bases from which on they are claimed; at fewer, what any run takes hides what grows."""


def summarise(subjects: Sequence[Subject], rows: Sequence[SeriesRow]) -> dict[str, float]:
    """Return for every model the growth of our peaks, and both against autograd and checkpointing.

    Ratios are at the longest length that both were run at; NaN where one was not measured.
    """
    summary: dict[str, float] = {}
    for subject in subjects:
        for sweep in OURS:
            summary[f"{subject.name}_{sweep}_growth_mb"] = growth(rows, subject.words, sweep) / 1e6
        for rival in (AUTOGRAD, CHECKPOINTING):
            measured = paces(rows, subject.words, rival)
            length = max(measured.keys() & paces(rows, subject.words, TANGENT).keys(), default=0)
            name = f"{subject.name}_{rival}"
            summary |= {
                f"{name}_length": length,
                f"{name}_mb": peaks(rows, subject.words, rival).get(length, math.nan) / 1e6,
                f"{name}_memory_exponent": memory_exponent(rows, subject.words, rival),
            }
            for sweep in OURS:
                memory = ratio(peaks(rows, subject.words, sweep), peaks(rows, subject.words, rival), length)
                faster = ratio(paces(rows, subject.words, rival), paces(rows, subject.words, sweep), length)
                summary |= {f"{name}_memory_of_{sweep}": memory, f"{name}_time_over_{sweep}": faster}
        summary[f"{subject.name}_longest"] = max(paces(rows, subject.words, TANGENT), default=0)
    return summary | {
        "largest_error": largest_error(rows, OURS),
        "largest_error_of_rivals": largest_error(rows, [row.contestant for row in rows if row.contestant not in OURS]),
    }


def describe(
    subjects: Sequence[Subject], rows: Sequence[SeriesRow], summary: dict[str, float]
) -> tuple[str, bool | None]:
    """Return the finding in words, and whether all of the claim holds of every model.

    None where nothing speaks against it but autograd was not run at 6,000 bases or more.
    """
    grown = [summary[f"{subject.name}_{sweep}_growth_mb"] for subject in subjects for sweep in OURS]
    flat = all(each * 1e6 <= FLAT_WITHIN for each in grown if not math.isnan(each))
    exact = summary["largest_error"] <= EXACT_WITHIN
    said = [_against_rivals(subject, summary) for subject in subjects]
    longest = ", ".join(f"{summary[f'{subject.name}_longest']:,.0f}" for subject in subjects)
    most = max((each for each in grown if not math.isnan(each)), default=math.nan)
    said.append(
        f"from the second length to the longest that was run ({longest} bases) our peaks grow by {most:,.1f} MB at most"
        f"{'' if flat else ': THEY ARE NOT FLAT'}"
    )
    said.append(f"<1, J v> and <grad of the sum, v> are within {summary['largest_error']:.0e} of float64")
    if not exact:
        said.append("THE DERIVATIVE IS WRONG")
    told = all(summary[f"{subject.name}_{AUTOGRAD}_length"] >= FROM for subject in subjects) and not math.isnan(most)
    missed = _missed(subjects, summary)
    if told and missed:
        said.append(f"claimed and missed: {', '.join(missed)}")
    if not flat or not exact:
        return "; ".join(said), False
    return "; ".join(said), (not missed) if told else None


def _against_rivals(subject: Subject, summary: dict[str, float]) -> str:
    auto, segments = f"{subject.name}_{AUTOGRAD}", f"{subject.name}_{CHECKPOINTING}"
    return (
        f"{subject.words}, {summary[f'{auto}_length']:,.0f} bases: the tangent takes "
        f"{1 - summary[f'{auto}_memory_of_{TANGENT}']:.1%} less memory than autograd's {summary[f'{auto}_mb']:,.0f} MB "
        f"and is {summary[f'{auto}_time_over_{TANGENT}']:.1f} times as fast (the adjoint "
        f"{1 - summary[f'{auto}_memory_of_{ADJOINT}']:.1%}, {summary[f'{auto}_time_over_{ADJOINT}']:.1f} times); "
        f"against checkpointing at its best {summary[f'{segments}_memory_of_{TANGENT}']:.2f} of the memory, "
        f"{summary[f'{segments}_time_over_{TANGENT}']:.1f} times as fast"
    )


def _missed(subjects: Sequence[Subject], summary: dict[str, float]) -> list[str]:
    missed = []
    for subject in subjects:
        auto = f"{subject.name}_{AUTOGRAD}"
        if not 1 - summary[f"{auto}_memory_of_{TANGENT}"] >= SAVING:
            missed.append(f"{SAVING:.0%} less memory than autograd ({subject.words})")
        if not summary[f"{auto}_time_over_{TANGENT}"] >= SPEED_UP:
            missed.append(f"{SPEED_UP} times autograd's speed ({subject.words})")
    return missed
