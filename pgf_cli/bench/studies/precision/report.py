"""What ``bench precision`` says of its measurements: errors in roundings of the format, and whether they grow."""

import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import torch

from pgf_cli.bench.baselines.scan_errors import ScanRow, ends_of
from pgf_cli.bench.framework.figures import looks

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Format(NamedTuple):
    """A number format of everything but the state, and of the state."""

    numbers: torch.dtype
    state: torch.dtype

    @property
    def rounding(self) -> float:
        """The largest relative error of rounding once, that of the coarser of the two."""
        return torch.finfo(self.numbers).eps / 2


FORMATS = {
    "float32": Format(torch.float32, torch.float32),
    "bfloat16, state in float32": Format(torch.bfloat16, torch.float32),
    "bfloat16 throughout": Format(torch.bfloat16, torch.bfloat16),
    "float16, state in float32": Format(torch.float16, torch.float32),
    "float16 throughout": Format(torch.float16, torch.float16),
}
ROUNDINGS = 10.0
"""Errors up to so many roundings are the format's."""
GROWTH = 1.5
"""By which an error may differ between the shortest and the longest length and still count as the same."""


class TableRow(NamedTuple):
    """One format at one stiffness; see ``Ends``."""

    format: str
    A_log: float
    shortest: int
    error_shortest: float
    longest: int
    error_longest: float
    largest: float
    growth: float
    roundings: float
    """The largest error, in largest relative errors of rounding once."""


def table(rows: Sequence[ScanRow]) -> list[TableRow]:
    """Return a row for every format and stiffness."""
    return [
        TableRow(*ends, ends.error_longest / ends.error_shortest, ends.largest / FORMATS[ends.way].rounding)
        for ends in ends_of(rows)
    ]


def summarise(rows: Sequence[ScanRow]) -> dict[str, float]:
    """Return each format's largest error, in roundings too, and how much it grows."""
    summary: dict[str, float] = {}
    for name, mine in _by_format(rows).items():
        key = name.replace(", ", "_").replace(" ", "_")
        summary[f"{key}_largest"] = max(row.largest for row in mine)
        summary[f"{key}_roundings"] = max(row.roundings for row in mine)
        summary[f"{key}_growth_with_length"] = max(row.growth for row in mine)
    return summary


def describe(rows: Sequence[ScanRow]) -> tuple[str, bool]:
    """Return the finding in words, and whether every format's error is its own and the same at every length."""
    found = table(rows)
    parts = [f"{name}: {_told(mine)}" for name, mine in _by_format(rows).items()]
    kept = all(row.roundings <= ROUNDINGS and row.growth <= GROWTH for row in found)
    return f"{found[0].shortest:,} to {found[0].longest:,} bases: {'; '.join(parts)}", kept


def _told(mine: Sequence[TableRow]) -> str:
    if any(math.isinf(row.largest) for row in mine):
        return "NOT A NUMBER"
    worst = max(mine, key=lambda row: row.largest)
    told = f"at most {worst.largest:.1e}, {worst.roundings:.1f} roundings (A_log {worst.A_log:g})"
    growing = [f"x {row.growth:.1f} at A_log {row.A_log:g}" for row in mine if row.growth > GROWTH]
    return f"{told}, GROWS with length {', '.join(growing)}" if growing else f"{told}, does not grow"


def _by_format(rows: Sequence[ScanRow]) -> dict[str, list[TableRow]]:
    found = table(rows)
    return {name: [row for row in found if row.format == name] for name in dict.fromkeys(row.format for row in found)}


def draw(rows: Sequence[ScanRow], figure: "Figure") -> None:
    """Draw error against length for each format, one panel for each stiffness."""
    A_logs = list(dict.fromkeys(row.A_log for row in rows))
    figure.set_size_inches(4 * len(A_logs), 5)
    panels = figure.subplots(1, len(A_logs), sharey=True, squeeze=False)[0]
    for axes, A_log in zip(panels, A_logs, strict=True):
        for name, look in looks(dict.fromkeys(row.way for row in rows)).items():
            here = [row for row in rows if (row.way, row.A_log) == (name, A_log) and row.error is not None]
            lengths = sorted({row.length for row in here})
            medians = [median(row.error or math.nan for row in here if row.length == length) for length in lengths]
            axes.plot(lengths, medians, label=name, **look._asdict())
        axes.set(xscale="log", yscale="log", xlabel="length (bases)", title=f"A_log {A_log:g}")
    panels[0].set_ylabel("relative error of the tangent, median over seeds")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize="small")
