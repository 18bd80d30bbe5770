"""What ``bench stiffness`` says of its measurements: where each scan is exact, where it is not, where it breaks."""

import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from pgf_cli.bench.baselines.scan_errors import ScanRow, ends_of
from pgf_cli.bench.framework.figures import looks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS = "ours"
THRESHOLD = 1e-6
"""The paper's."""


class TableRow(NamedTuple):
    """One way at one stiffness; see ``Ends``."""

    way: str
    A_log: float
    shortest: int
    error_shortest: float
    longest: int
    error_longest: float
    largest: float
    verdict: str


def table(rows: Sequence[ScanRow]) -> list[TableRow]:
    """Return a row for every way and stiffness."""
    return [TableRow(*ends, _verdict(ends.largest)) for ends in ends_of(rows)]


def _verdict(error: float) -> str:
    return "not a number" if math.isinf(error) else "over" if error > THRESHOLD else "within"


def summarise(rows: Sequence[ScanRow]) -> dict[str, float]:
    """Return for each way its largest error, its growth with length, and from which stiffness on it breaks."""
    summary: dict[str, float] = {}
    for way, mine in _by_way(rows).items():
        name = way.replace(", ", "_").replace(" ", "_").replace("-", "_")
        numbers = [row for row in mine if math.isfinite(row.largest)]
        over = [row.A_log for row in mine if row.verdict == "over"]
        summary |= {
            f"{name}_largest": max((row.largest for row in numbers), default=math.nan),
            f"{name}_growth_with_length": max(
                (row.error_longest / row.error_shortest for row in numbers), default=math.nan
            ),
            f"{name}_over_from": min(over, default=math.nan),
            f"{name}_over_to": max(over, default=math.nan),
            f"{name}_not_a_number_from": min((row.A_log for row in mine if row not in numbers), default=math.nan),
        }
    return summary


def describe(rows: Sequence[ScanRow]) -> tuple[str, bool]:
    """Return the finding in words, and whether ours is within the threshold throughout."""
    by_way = _by_way(rows)
    first = by_way[OURS]
    finding = f"A_log {first[0].A_log:g} to {first[-1].A_log:g}, {first[0].shortest:,} to {first[0].longest:,} bases"
    parts = [f"{way}: {_told(mine)}" for way, mine in by_way.items()]
    return f"{finding}: {'; '.join(parts)}", all(row.verdict == "within" for row in first)


def _told(mine: Sequence[TableRow]) -> str:
    numbers = [row for row in mine if row.verdict != "not a number"]
    if not numbers:
        return "not a number anywhere"
    worst = max(numbers, key=lambda row: row.largest)
    told = [f"at most {worst.largest:.1e} (at A_log {worst.A_log:g})"]
    over = [f"{row.A_log:g}" for row in numbers if row.verdict == "over"]
    told.append(f"OVER {THRESHOLD:g} at A_log {', '.join(over)}" if over else f"within {THRESHOLD:g}")
    broken = [f"{row.A_log:g}" for row in mine if row.verdict == "not a number"]
    if broken:
        told.append(f"NOT A NUMBER at A_log {', '.join(broken)}")
    return ", ".join(told)


def _by_way(rows: Sequence[ScanRow]) -> dict[str, list[TableRow]]:
    found = table(rows)
    return {way: [row for row in found if row.way == way] for way in dict.fromkeys(row.way for row in found)}


def draw(rows: Sequence[ScanRow], figure: "Figure") -> None:
    """Draw each way's error against stiffness at the longest length, and against length where it is worst."""
    figure.set_size_inches(11, 5)
    stiff, long = figure.subplots(1, 2, sharey=True)
    by_way = _by_way(rows)
    for (way, mine), look in zip(by_way.items(), looks(by_way).values(), strict=True):
        A_logs, errors = [row.A_log for row in mine], [row.error_longest for row in mine]
        stiff.plot(A_logs, errors, label=f"{way}, {mine[0].longest:,} bases", **look._asdict())
        broken = [row.A_log for row in mine if row.verdict == "not a number"]
        if broken:
            # Above everything, whatever the scale: such an error has no place on it.
            top = stiff.get_xaxis_transform()
            stiff.plot(broken, [0.97] * len(broken), "x", color=look.color, transform=top, label=f"{way}: not a number")
        at = max(mine, key=lambda row: row.error_longest if math.isfinite(row.error_longest) else 0.0).A_log
        here = [row for row in rows if (row.way, row.A_log) == (way, at) and row.error is not None]
        lengths = sorted({row.length for row in here})
        medians = [median(row.error or math.nan for row in here if row.length == length) for length in lengths]
        long.plot(lengths, medians, label=f"{way}, A_log {at:g}", **look._asdict())
    for axes, label in ((stiff, "A_log (log of decay per step size)"), (long, "length (bases)")):
        axes.axhline(THRESHOLD, linestyle="--", color="0.4", label=f"threshold {THRESHOLD:g}")
        axes.set(yscale="log", xlabel=label)
        axes.legend(fontsize="small")
    stiff.set_ylabel("relative error of the tangent, float32, median over seeds")
    long.set(xscale="log", title="Where each is worst")
