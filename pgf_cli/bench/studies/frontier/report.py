"""What ``bench frontier`` says of its measurements."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from pgf_cli.bench.baselines.ours import ADJOINT, TANGENT
from pgf_cli.bench.baselines.plain import AUTOGRAD, CHECKPOINTING
from pgf_cli.bench.framework.contestants import relative_error
from pgf_cli.bench.framework.figures import looks
from pgf_cli.bench.framework.length_series import RESOLUTION, SeriesRun
from pgf_cli.bench.studies.length_series_report import EXACT_WITHIN

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS = (TANGENT, ADJOINT)
PAGE = 4096


class FrontierRow(NamedTuple):
    """One run, or a length that was left out."""

    contestant: str
    length: int
    seed: int
    """Of the model and of the bases."""
    seconds: float | None
    bases_per_second: float | None
    peak_bytes: int | None
    """That the process grew by."""
    error: float | None
    """Relative, against float64."""
    note: str


class FrontierTableRow(NamedTuple):
    """One contestant at one length, medians over seeds."""

    contestant: str
    length: int
    bases_per_second: float | None
    peak_mb: float | None
    error: float | None
    """The largest."""
    note: str


def frontier_rows(seed: int, runs: Sequence[SeriesRun], exact: Mapping[int, Tensor]) -> list[FrontierRow]:
    """Return a row for every run; `exact` has the derivative in float64, by length."""
    rows = []
    for contestant, length, _, seconds, peak, derivative, note in runs:
        error = None if derivative is None else relative_error(derivative, exact[length])
        speed = None if seconds is None else length / seconds
        rows.append(FrontierRow(contestant.name, length, seed, seconds, speed, peak, error, note))
    return rows


def table(rows: Sequence[FrontierRow]) -> list[FrontierTableRow]:
    """Return a row for every contestant and length."""
    found = []
    for name, length in dict.fromkeys((row.contestant, row.length) for row in rows):
        here = [row for row in rows if (row.contestant, row.length) == (name, length)]
        speeds = [row.bases_per_second for row in here if row.bases_per_second is not None]
        peaks = [row.peak_bytes / 1e6 for row in here if row.peak_bytes is not None]
        errors = [row.error for row in here if row.error is not None]
        found.append(
            FrontierTableRow(
                name,
                length,
                median(speeds) if speeds else None,
                median(peaks) if peaks else None,
                # NaN is no agreement, and max() may lose it.
                math.nan if any(map(math.isnan, errors)) else max(errors, default=None),
                here[0].note,
            )
        )
    return found


def summarise(rows: Sequence[FrontierRow]) -> dict[str, float]:
    """Return at every length the rivals' time over ours and their peak above ours, and the largest error of ours."""
    here = {(row.contestant, row.length): row for row in table(rows)}
    summary: dict[str, float] = {}
    for (name, length), rival in here.items():
        for sweep in OURS:
            own = here[sweep, length]
            if name in OURS or not own.bases_per_second or not rival.bases_per_second:
                continue
            suffix = f"{name}_over_{sweep}_at_{length}".replace(" ", "_")
            summary[f"time_of_{suffix}"] = own.bases_per_second / rival.bases_per_second
            if rival.peak_mb is not None and own.peak_mb is not None:
                summary[f"mb_of_{suffix}"] = rival.peak_mb - own.peak_mb
    errors = [row.error for row in rows if row.contestant in OURS and row.error is not None]
    return summary | {"largest_error": math.nan if any(map(math.isnan, errors)) else max(errors, default=math.nan)}


def describe(rows: Sequence[FrontierRow], summary: Mapping[str, float]) -> tuple[str, bool | None]:
    """Return the finding in words, and whether the tangent is ahead at every length in speed, and not behind in memory.

    None where a rival of the paper's was left out at some length, or memory is not told by the system.
    """
    lengths = sorted({row.length for row in rows})
    names = [f"{rival}_over_{TANGENT}_at_{length}" for rival in (AUTOGRAD, CHECKPOINTING) for length in lengths]
    told = all(f"{kind}_of_{name}" in summary for name in names for kind in ("time", "mb"))
    slower = [name for name in names if summary.get(f"time_of_{name}", math.inf) <= 1]
    larger = [name for name in names if summary.get(f"mb_of_{name}", math.inf) * 1e6 < -RESOLUTION]
    exact = summary["largest_error"] <= EXACT_WITHIN
    said = [_against(rival, lengths, summary) for rival in (AUTOGRAD, CHECKPOINTING)]
    said.append(f"ours are within {summary['largest_error']:.0e} of float64")
    if slower:
        said.append(f"the tangent is behind in time: {', '.join(slower)}")
    if larger:
        said.append(f"the tangent takes more memory: {', '.join(larger)}")
    if not exact:
        said.append("THE DERIVATIVE IS WRONG")
    holds = exact and not slower and not larger
    return "; ".join(said), holds if told or not holds else None


def _against(rival: str, lengths: Sequence[int], summary: Mapping[str, float]) -> str:
    longest = max(lengths)
    factors = [summary.get(f"time_of_{rival}_over_{TANGENT}_at_{length}", math.nan) for length in lengths]
    more = summary.get(f"mb_of_{rival}_over_{TANGENT}_at_{longest}", math.nan)
    return (
        f"the tangent is {factors[0]:,.1f} times as fast as {rival} at {lengths[0]:,} bases and "
        f"{factors[-1]:,.1f} times at {longest:,}, where {rival} takes {more:,.1f} MB more"
    )


def draw(rows: Sequence[FrontierRow], figure: "Figure") -> None:
    """Draw speed against memory: a line for every contestant, its points the lengths."""
    axes = figure.subplots()
    medians = [row for row in table(rows) if row.bases_per_second is not None and row.peak_mb is not None]
    for name, look in looks(dict.fromkeys(row.contestant for row in medians)).items():
        here = [row for row in medians if row.contestant == name]
        peaks = [max(row.peak_mb or 0, PAGE / 1e6) for row in here]
        axes.plot(peaks, [row.bases_per_second or math.nan for row in here], label=name, **look._asdict())
        for peak, row in zip(peaks, here, strict=True):
            at = (peak, row.bases_per_second or math.nan)
            axes.annotate(f"{row.length:,}", at, xytext=(4, 4), textcoords="offset points", fontsize="x-small")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="peak memory (MB above what was resident; none is drawn as one page)",
        ylabel="bases per second (points are lengths in bases)",
    )
    axes.legend()
