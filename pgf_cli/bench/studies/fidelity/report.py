"""What ``bench fidelity`` says of its measurements: errors over the surface, their growth, the V of differences."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pgf_cli.bench.framework.figures import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TANGENT, DIFFERENCE, MOVED = "tangent", "central difference", "truth of weights moved by a rounding"
LIMITS = {"float32": 1e-5, "float64": 1e-9}
"""What this tool calls exact."""
GROWTH = 2.0
"""By which an error may differ between two ends of the surface and still count as the same."""


class FidelityRow(NamedTuple):
    """One derivative against the truth, or one that was left out."""

    family: str
    way: str
    dtype: str
    A_log: float | None
    """Of every state; None for the family's own initial values."""
    length: int
    step: float | None
    """Of a difference, in units of the one-hot input."""
    error: float | None
    """Relative, in the 2-norm over the sequence."""
    note: str


class TableRow(NamedTuple):
    """One stiffness at the shortest and at the longest length."""

    family: str
    dtype: str
    A_log: float
    shortest: int
    error_shortest: float
    longest: int
    error_longest: float
    growth: float


class _Surface(NamedTuple):
    """Errors of one family in one format; a corner that was left out is NaN."""

    A_logs: list[float]
    lengths: list[int]
    errors: np.ndarray


def table(rows: Sequence[FidelityRow]) -> list[TableRow]:
    """Return a row for every family, format and stiffness."""
    found = []
    for family, dtype in _series(rows):
        for A_log in _surface(rows, family, dtype).A_logs:
            here = [row for row in _measured(rows, family, dtype) if row.A_log == A_log]
            errors = [math.nan if row.error is None else row.error for row in here]
            first, last = here[0].length, here[-1].length
            found.append(TableRow(family, dtype, A_log, first, errors[0], last, errors[-1], errors[-1] / errors[0]))
    return found


def summarise(rows: Sequence[FidelityRow]) -> dict[str, float]:
    """Return for each family the largest errors, how they grow, and the best finite difference."""
    summary: dict[str, float] = {}
    for family, dtype in _series(rows):
        name, surface = f"{_key(family)}_{dtype}", _surface(rows, family, dtype)
        summary[f"{name}_largest"] = _largest([row.error for row in _measured(rows, family, dtype)])
        summary[f"{name}_growth_with_length"] = _largest(
            [row.growth for row in table(rows) if (row.family, row.dtype) == (family, dtype)]
        )
        summary[f"{name}_growth_with_stiffness"] = _largest(
            [float(ratio) for ratio in (surface.errors / surface.errors[0]).flat if not np.isnan(ratio)]
        )
        if dtype == "float32":
            summary[f"{name}_moved_by_a_rounding"] = _moved([row for row in rows if row.family == family])
        best = min(_differences(rows, family, dtype), key=lambda row: row.error or math.nan)
        assert best.error is not None
        assert best.step is not None
        own = next(row for row in rows if (row.family, row.way, row.dtype, row.A_log) == (family, TANGENT, dtype, None))
        summary |= {f"{name}_best_difference": best.error, f"{name}_best_step": best.step}
        summary[f"{name}_tangent_beside_differences"] = math.nan if own.error is None else own.error
    return summary


def describe(rows: Sequence[FidelityRow], summary: dict[str, float]) -> tuple[str, bool]:
    """Return the finding in words, and whether errors are small and grow neither with length nor with stiffness."""
    measured = [row for row in rows if row.A_log is not None and row.error is not None]
    A_logs, lengths = sorted({row.A_log or 0.0 for row in measured}), sorted({row.length for row in measured})
    largest = {dtype: _over_families(rows, summary, dtype, "largest") for dtype in LIMITS}
    exact = all(error <= LIMITS[dtype] for dtype, error in largest.items())
    grows = {
        which: _over_families(rows, summary, "float32", f"growth_with_{which}") for which in ("length", "stiffness")
    }
    worst = max((row for row in table(rows) if row.dtype == "float32"), key=lambda row: row.growth)
    small = "" if exact else f"NOT EXACT (limits {LIMITS['float32']:g} and {LIMITS['float64']:g}): "
    parts = [
        f"{small}{', '.join(dict.fromkeys(row.family for row in rows))}, A_log {A_logs[0]:g} to {A_logs[-1]:g}, "
        f"{lengths[0]:,} to {lengths[-1]:,} bases: the tangent is off by at most {largest['float32']:.1e} in float32 "
        f"and {largest['float64']:.1e} in float64",
        f"from the slowest states to the stiffest the error {_grown(grows['stiffness'])}",
        f"from the shortest sequence to the longest it {_grown(grows['length'])}"
        + (f" ({worst.family}, A_log {worst.A_log:g})" if grows["length"] > GROWTH else ""),
        f"moving the weights by one rounding of float32 moves the derivative itself by up to {_moved(rows):.1e}",
        "the best finite difference is off by at least "
        + " and ".join(f"{_best(rows, summary, dtype):.0e} in {dtype}" for dtype in LIMITS),
    ]
    return "; ".join(parts), exact and all(growth <= GROWTH for growth in grows.values())


def _grown(growth: float) -> str:
    return f"does not grow (x {growth:.2f} at most)" if growth <= GROWTH else f"GROWS up to {growth:.1f} times"


def _over_families(rows: Sequence[FidelityRow], summary: dict[str, float], dtype: str, what: str) -> float:
    return _largest([summary[f"{_key(family)}_{dtype}_{what}"] for family in dict.fromkeys(row.family for row in rows)])


def _moved(rows: Sequence[FidelityRow]) -> float:
    return _largest([row.error for row in rows if row.way == MOVED])


def _best(rows: Sequence[FidelityRow], summary: dict[str, float], dtype: str) -> float:
    return min(
        summary[f"{_key(family)}_{dtype}_best_difference"] for family in dict.fromkeys(row.family for row in rows)
    )


def _largest(values: Sequence[float | None]) -> float:
    """The largest; NaN, which compares with nothing, counts as infinite."""
    return max((math.inf if math.isnan(value) else value for value in values if value is not None), default=math.nan)


def _key(family: str) -> str:
    return family.lower().replace("-", "")


def _series(rows: Sequence[FidelityRow]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((row.family, row.dtype) for row in rows))


def _measured(rows: Sequence[FidelityRow], family: str, dtype: str) -> list[FidelityRow]:
    """Of the surface, ascending in length."""
    mine = (row for row in rows if (row.family, row.way, row.dtype) == (family, TANGENT, dtype))
    return [row for row in mine if row.A_log is not None and row.error is not None]


def _differences(rows: Sequence[FidelityRow], family: str, dtype: str) -> list[FidelityRow]:
    return [row for row in rows if (row.family, row.way, row.dtype) == (family, DIFFERENCE, dtype)]


def _surface(rows: Sequence[FidelityRow], family: str, dtype: str) -> _Surface:
    measured = _measured(rows, family, dtype)
    A_logs, lengths = sorted({row.A_log or 0.0 for row in measured}), sorted({row.length for row in measured})
    errors = np.full((len(A_logs), len(lengths)), np.nan)
    for row in measured:
        errors[A_logs.index(row.A_log or 0.0), lengths.index(row.length)] = row.error
    return _Surface(A_logs, lengths, errors)


def draw(rows: Sequence[FidelityRow], figure: "Figure") -> None:
    """Draw the float32 error surface of each family, and error against step size of finite differences."""
    families = list(dict.fromkeys(row.family for row in rows))
    figure.set_size_inches(11, 8)
    *surfaces, differences = figure.subplots(2, 2).flat
    shown = {family: _surface(rows, family, "float32") for family in families}
    levels = np.log10([surface.errors for surface in shown.values()])
    low, high = math.floor(np.nanmin(levels)), math.ceil(np.nanmax(levels))
    for axes, (family, (A_logs, lengths, errors)) in zip(surfaces, shown.items(), strict=True):
        mesh = axes.pcolormesh(np.log10(errors), vmin=low, vmax=high, cmap="cividis")
        axes.set_xticks(np.arange(len(lengths)) + 0.5, [f"{length:,}" for length in lengths])
        axes.set_yticks(np.arange(len(A_logs)) + 0.5, [f"{A_log:g}" for A_log in A_logs])
        axes.set(xlabel="length (bases)", ylabel="A_log (log of decay per step size)", title=family)
        axes.grid(visible=False)
        figure.colorbar(mesh, ax=axes, label="log10 of relative error, float32")
    _draw_differences(rows, families, differences)


def _draw_differences(rows: Sequence[FidelityRow], families: list[str], axes: "Axes") -> None:
    for family, colour in zip(families, COLOURS, strict=False):
        for dtype, style, marker in (("float32", "--", "s"), ("float64", "-", "o")):
            found = _differences(rows, family, dtype)
            steps, errors = [row.step or math.nan for row in found], [row.error or math.nan for row in found]
            axes.plot(steps, errors, style, marker=marker, ms=3, color=colour, label=f"{family}, {dtype}")
    axes.set(xscale="log", yscale="log", ylabel="relative error", title="Central differences")
    axes.set_xlabel("step (units of the one-hot input)")
    axes.set_ylim(top=1e6)
    axes.legend(loc="upper center", ncols=len(families), fontsize="x-small")
