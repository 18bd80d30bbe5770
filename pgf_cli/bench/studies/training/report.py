"""What ``bench training`` says of its fits."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pgf_cli.bench.framework.figures import looks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS, AUTOGRAD, CHECKPOINTING, EXACT = "tiled adjoint", "autograd", "checkpointing", "autograd, float64"
SAME_LOSS = 1e-5
"""Relative, at any step: float32's rounding over a sum of half a million squares."""
SAME_GRADIENT = 1e-4


class StepRow(NamedTuple):
    """One step of one fit."""

    method: str
    length: int
    step: int
    """From 1."""
    loss: float
    """Before the step."""
    seconds: float
    """Of a step, the mean over the fit."""
    peak_bytes: int | None
    """That the process grew by during the fit."""
    gradient_error: float
    """Of the first step's gradients against float64, relative, the worst parameter's."""


class TableRow(NamedTuple):
    """One fit."""

    method: str
    length: int
    steps: int
    first_loss: float
    last_loss: float
    loss_error: float
    """Largest over the steps, relative to float64."""
    gradient_error: float
    seconds_per_step: float
    peak_mb: float | None


def table(rows: Sequence[StepRow]) -> list[TableRow]:
    """Return a row for every fit."""
    fits = _fits(rows)
    return [_table_row(fit, fits.get((EXACT, length))) for (_, length), fit in fits.items()]


def _fits(rows: Sequence[StepRow]) -> dict[tuple[str, int], list[StepRow]]:
    fits: dict[tuple[str, int], list[StepRow]] = {}
    for row in rows:
        fits.setdefault((row.method, row.length), []).append(row)
    return fits


def _table_row(fit: Sequence[StepRow], exact: Sequence[StepRow] | None) -> TableRow:
    first = fit[0]
    errors = [abs(row.loss / other.loss - 1) for row, other in zip(fit, exact, strict=True)] if exact else [math.nan]
    return TableRow(
        first.method,
        first.length,
        len(fit),
        first.loss,
        fit[-1].loss,
        # NaN is no agreement, and max() may lose it.
        float(np.max(errors)),
        first.gradient_error,
        first.seconds,
        None if first.peak_bytes is None else first.peak_bytes / 1e6,
    )


def summarise(rows: Sequence[StepRow]) -> dict[str, float]:
    """Return each method's errors, and its time, memory and growth of memory at its longest length."""
    summary: dict[str, float] = {}
    found = table(rows)
    for method in dict.fromkeys(each.method for each in found):
        here = [each for each in found if each.method == method]
        last, name = here[-1], method.replace(",", "").replace(" ", "_")
        summary |= {
            f"{name}_loss_error": float(np.max([each.loss_error for each in here])),
            f"{name}_gradient_error": float(np.max([each.gradient_error for each in here])),
            f"{name}_longest": last.length,
            f"{name}_seconds_per_step": last.seconds_per_step,
            f"{name}_peak_mb": math.nan if last.peak_mb is None else last.peak_mb,
            f"{name}_bytes_per_position": _growth(here),
        }
    at_both = {each.length for each in found if each.method == AUTOGRAD}
    ours = {each.length: each for each in found if each.method == OURS and each.length in at_both}
    theirs = {each.length: each for each in found if each.method == AUTOGRAD and each.length in ours}
    longest = max(theirs, default=0)
    summary["compared_at_length"] = longest
    if longest:
        summary["autograd_time_over_ours"] = theirs[longest].seconds_per_step / ours[longest].seconds_per_step
        mine, other = ours[longest].peak_mb, theirs[longest].peak_mb
        summary["autograd_memory_over_ours"] = other / mine if mine and other else math.nan
    return summary


def _growth(fits: Sequence[TableRow]) -> float:
    """Bytes of peak memory that a position adds, from the shortest length to the longest."""
    first, last = fits[0], fits[-1]
    if first.peak_mb is None or last.peak_mb is None or last.length == first.length:
        return math.nan
    return 1e6 * (last.peak_mb - first.peak_mb) / (last.length - first.length)


def describe(rows: Sequence[StepRow], summary: dict[str, float]) -> tuple[str, bool | None]:
    """Return the finding in words, and whether it is the same curve in less memory; None where memory is not known."""
    loss, gradient = summary["tiled_adjoint_loss_error"], summary["tiled_adjoint_gradient_error"]
    same = loss <= SAME_LOSS and gradient <= SAME_GRADIENT
    ratio = summary.get("autograd_memory_over_ours", math.nan)
    finding = (
        f"{'the same' if same else 'NOT THE SAME'} training as autograd in float64: losses within {loss:.1e} at every "
        f"step and the first gradients within {gradient:.1e} (autograd in float32: "
        f"{summary.get('autograd_loss_error', math.nan):.1e} and "
        f"{summary.get('autograd_gradient_error', math.nan):.1e}); at L "
        f"{summary['compared_at_length']:,.0f} autograd takes {ratio:,.0f} times the memory and "
        f"{summary.get('autograd_time_over_ours', math.nan):,.0f} times the time; a position adds "
        f"{summary['tiled_adjoint_bytes_per_position']:,.0f} bytes to ours, which keeps the states at tile edges, and "
        f"{summary.get('autograd_bytes_per_position', math.nan):,.0f} to autograd"
    )
    if not same or ratio <= 1:
        return finding, False
    return finding, None if math.isnan(ratio) else True


def draw(rows: Sequence[StepRow], figure: "Figure") -> None:
    """Draw loss curves and memory."""
    figure.set_size_inches(11, 5)
    curves, memory = figure.subplots(1, 2)
    fits, look = _fits(rows), looks(dict.fromkeys(row.method for row in rows))
    styles: dict[str, dict[str, Any]] = {
        EXACT: {"lw": 5, "alpha": 0.3, "marker": ""},
        AUTOGRAD: {"ls": "--", "marker": ""},
    }
    named: set[int] = set()
    for (method, length), fit in fits.items():
        label = method if length == fits[next(iter(fits))][0].length else None
        style = look[method]._asdict() | {"markersize": 4} | styles.get(method, {})
        losses = [row.loss / fit[0].loss for row in fit]
        curves.plot([row.step for row in fit], losses, label=label, **style)
        # Fits of as many steps lie upon each other.
        if method == OURS and len(fit) not in named:
            named.add(len(fit))
            curves.annotate(f"L {length:,}", (fit[-1].step, losses[-1]), fontsize="small")
    curves.set(xlabel="step", ylabel="loss / loss before the first step")
    curves.legend()
    for method in look:
        peaks = [(each.length, each.peak_mb) for each in table(rows) if each.method == method and each.peak_mb]
        if peaks:
            memory.plot(*zip(*peaks, strict=True), label=method, **look[method]._asdict())
    memory.set(xscale="log", yscale="log", xlabel="length L", ylabel="peak memory (MB above what was resident)")
    memory.xaxis.set_minor_formatter("")
    memory.legend()
