"""What ``bench speed`` says of its measurements: rows, ratios, targets and the figure."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from pgf_cli.bench.baselines.ours import ADJOINT, ADJOINT_TWICE, PRIMAL, TANGENT, tangent_name
from pgf_cli.bench.baselines.plain import AUTOGRAD, CHECKPOINTING, TORCH_FUNC
from pgf_cli.bench.baselines.transformers_peer import (
    COMPILED,
    FORWARD,
    MAMBA2_FORWARD,
    MAMBA2_LONG,
    MAMBA2_REVERSE,
    MAMBAPY,
    REVERSE,
)
from pgf_cli.bench.framework.contestants import Measured
from pgf_cli.bench.framework.figures import looks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAME = 1e-3
"""Relative error in float32 up to which two ways computed the same derivative: a wrong term is far above it."""


class Group(NamedTuple):
    """Contestants that were run in turn."""

    name: str
    subject: str
    found: dict[str, Measured]


class RunRow(NamedTuple):
    """One run, or one contestant that could not be run."""

    subject: str
    contestant: str
    length: int | None
    run: int | None
    seconds: float | None
    bases_per_second: float | None
    peak_bytes: int | None
    """That the process grew by."""
    error: float | None
    note: str


class TableRow(NamedTuple):
    """One contestant, medians of its runs."""

    subject: str
    contestant: str
    length: int | None
    bases_per_second: float | None
    peak_mb: float | None
    of_bound: float | None
    """Share of the speed of the matrix products alone."""
    ours_faster: float | None
    """How many times faster ours is at the same derivative, by time per base."""
    error: float | None
    """Relative, against ours."""
    note: str


class Target(NamedTuple):
    """A ratio that we hold ourselves to."""

    summary: str
    words: str
    limit: float
    at_least: bool
    rival: str | None = None
    """The contestant that it is against."""
    length: int = 0
    """Bases from which on a miss counts: what a rival spends grows faster than its length, or as fast."""

    def met(self, value: float) -> bool:
        """Whether the value keeps to the limit."""
        return value >= self.limit if self.at_least else value <= self.limit


_PREFIXES = {"frechet": "Frechet: ", "mamba2": "Mamba-2: ", "mamba2 long": "Mamba-2: "}
"""Before a contestant's name in the figure, by group."""

TARGETS = (
    Target("tangent_share_of_bound", "the tangent's share of the matrix-product bound", 0.4, True),
    Target("forward_mode_over_tangent", "transformers' forward mode over the tangent", 20, True, FORWARD, 4096),
    Target("mambapy_over_adjoint", "mambapy's reverse mode over the adjoint", 10, True, MAMBAPY, 16_384),
    Target("adjoint_memory_over_mambapy", "the adjoint's memory over mambapy's", 0.1, False, MAMBAPY, 16_384),
    Target("compiled_over_adjoint", "torch.compile over the adjoint", 5, True, COMPILED, 4096),
    Target("frechet_autograd_over_tangent", "autograd over the tangent, Frechet operator", 100, True, AUTOGRAD, 10_000),
    Target("mamba2_forward_mode_over_tangent", "forward mode over the tangent, Mamba-2", 6, True, MAMBA2_FORWARD, 4096),
    Target("mamba2_reverse_mode_over_adjoint", "reverse mode over the adjoint, Mamba-2", 4, True, MAMBA2_REVERSE, 4096),
    Target(
        "mamba2_adjoint_memory", "the adjoint's memory over reverse mode's, Mamba-2", 0.2, False, MAMBA2_LONG, 16_384
    ),
    Target("tangent_over_primal", "tangent over primal", 1.6, False),
    Target("tangent_8_over_1", "K = 8 over K = 1", 4, False),
    Target("adjoint_over_primal", "adjoint over primal", 4.2, False),
    Target("adjoint_twice_over_primal", "adjoint with states twice over primal", 5.2, False),
)


def summarise(groups: Sequence[Group]) -> dict[str, float]:
    """Return every ratio that there are targets for, and the speeds and errors behind them; NaN where not measured.

    A ratio "of A over B" is A's time per base over B's.
    """
    long, short, frechet, mamba2, mamba2_long = groups
    speeds = {f"{name}_bases_per_second": 1 / long.found[name].seconds_per_base for name in (PRIMAL, TANGENT, ADJOINT)}
    errors = [each.error for group in groups for each in group.found.values() if each.error is not None]
    return {
        **speeds,
        "bound_bases_per_second": 1 / bound(long, 1),
        "tangent_share_of_bound": bound(long, 1) / long.found[TANGENT].seconds_per_base,
        "tangent_over_primal": over(long, TANGENT, PRIMAL),
        "tangent_4_over_1": over(long, tangent_name(4), TANGENT),
        "tangent_8_over_1": over(long, tangent_name(8), TANGENT),
        "adjoint_over_primal": over(long, ADJOINT, PRIMAL),
        "adjoint_twice_over_primal": over(long, ADJOINT_TWICE, PRIMAL),
        "mambapy_over_adjoint": over(long, MAMBAPY, ADJOINT),
        "adjoint_memory_over_mambapy": _memory_over(long, ADJOINT, MAMBAPY),
        "forward_mode_over_tangent": over(short, FORWARD, TANGENT),
        "reverse_mode_over_adjoint": over(short, REVERSE, ADJOINT),
        "compiled_over_adjoint": over(short, COMPILED, ADJOINT),
        "autograd_over_adjoint": over(short, AUTOGRAD, ADJOINT),
        "checkpointing_over_adjoint": over(short, CHECKPOINTING, ADJOINT),
        "torch_func_over_tangent": over(short, TORCH_FUNC, TANGENT),
        "frechet_tangent_bases_per_second": 1 / frechet.found[TANGENT].seconds_per_base,
        "frechet_autograd_over_tangent": over(frechet, AUTOGRAD, TANGENT),
        "frechet_autograd_over_adjoint": over(frechet, AUTOGRAD, ADJOINT),
        "mamba2_tangent_bases_per_second": 1 / mamba2.found[TANGENT].seconds_per_base,
        "mamba2_adjoint_bases_per_second": 1 / mamba2.found[ADJOINT].seconds_per_base,
        "mamba2_forward_mode_over_tangent": over(mamba2, MAMBA2_FORWARD, TANGENT),
        "mamba2_reverse_mode_over_adjoint": over(mamba2, MAMBA2_REVERSE, ADJOINT),
        "mamba2_adjoint_memory": _memory_over(mamba2_long, ADJOINT, MAMBA2_LONG),
        # NaN is no agreement, and max() may lose it.
        "largest_error": math.nan if any(map(math.isnan, errors)) else max(errors, default=math.nan),
    }


def bound(group: Group, directions: int) -> float:
    """Seconds per base of the products for K directions, the faster of the ways that they were done."""
    prefix = f"products, K = {directions}, "
    return min(each.seconds_per_base for name, each in group.found.items() if name.startswith(prefix))


def over(group: Group, slow: str, fast: str) -> float:
    """Time per base of one contestant over another's; NaN where one was not measured."""
    if slow not in group.found or fast not in group.found:
        return math.nan
    return group.found[slow].seconds_per_base / group.found[fast].seconds_per_base


def _memory_over(group: Group, ours: str, rival: str) -> float:
    """Peak memory of one contestant over another's on a sequence of the same length; NaN where not measured."""
    peak, theirs = group.found[ours].peak_bytes, group.found[rival].peak_bytes
    return peak / theirs if theirs and peak is not None else math.nan


def findings(groups: Sequence[Group], summary: dict[str, float]) -> tuple[str, bool | None]:
    """Return the finding in words, and whether every target is met; None where one could not be told.

    That is one whose rival was not run, or that is missed against a rival on a shorter sequence than it names.
    """
    lengths = {each.name: each.length or 0 for group in groups for each in group.found.values()}
    met = [target for target in TARGETS if target.met(summary[target.summary])]
    told = [
        target
        for target in TARGETS
        if target in met
        or (not math.isnan(summary[target.summary]) and lengths.get(target.rival or "", 0) >= target.length)
    ]
    missed = [target for target in told if target not in met]
    same = summary["largest_error"] <= SAME
    parts = [
        f"tangent {summary['tangent_bases_per_second']:,.0f} bases/s, "
        f"{summary['tangent_share_of_bound']:.0%} of the matrix-product bound, "
        f"{summary['forward_mode_over_tangent']:.1f} times transformers' forward mode; "
        f"adjoint {summary['adjoint_bases_per_second']:,.0f} bases/s, "
        f"{summary['mambapy_over_adjoint']:.1f} times mambapy's reverse mode",
        f"all derivatives agree within {summary['largest_error']:.0e}"
        if same
        else f"NOT ALL COMPUTE THE SAME DERIVATIVE: largest relative error {summary['largest_error']:.1e}",
        f"{len(met)} of {len(TARGETS)} targets met",
    ]
    if missed:
        parts.append("missed: " + ", ".join(f"{target.words} {_value(summary, target)}" for target in missed))
    if len(told) < len(TARGETS):
        left = (target.words for target in TARGETS if target not in told)
        parts.append(f"not told by this measurement: {', '.join(left)}")
    holds = False if missed or not same else None if len(told) < len(TARGETS) else True
    return "; ".join(parts), holds


def _value(summary: dict[str, float], target: Target) -> str:
    return f"{summary[target.summary]:.2f} ({'at least' if target.at_least else 'at most'} {target.limit:g})"


def run_rows(groups: Sequence[Group]) -> list[RunRow]:
    """Return a row for every run."""
    rows = []
    for group in groups:
        for each in group.found.values():
            if not each.runs or each.length is None:
                rows.append(RunRow(group.subject, each.name, None, None, None, None, None, None, each.note))
                continue
            rows += [
                RunRow(
                    group.subject,
                    each.name,
                    each.length,
                    index,
                    run.seconds,
                    each.length / run.seconds,
                    run.peak_bytes,
                    each.error,
                    each.note,
                )
                for index, run in enumerate(each.runs, start=1)
            ]
    return rows


def table(groups: Sequence[Group]) -> list[TableRow]:
    """Return a row for every contestant."""
    return [_table_row(group, each) for group in groups for each in group.found.values()]


def _table_row(group: Group, each: Measured) -> TableRow:
    if not each.runs:
        return TableRow(group.subject, each.name, None, None, None, None, None, None, each.note)
    seconds, peak = each.seconds_per_base, each.peak_bytes
    least = _least_seconds(group, each.name)
    ours = each.contestant.same_as if each.contestant.rival else None
    return TableRow(
        group.subject,
        each.name,
        each.length,
        1 / seconds,
        None if peak is None else peak / 1e6,
        None if least is None else least / seconds,
        None if ours is None else over(group, each.name, ours),
        each.error,
        each.note,
    )


def _least_seconds(group: Group, name: str) -> float | None:
    """Seconds per base of the matrix products in a contestant of ours; None where they were not timed beside it.

    The adjoint reads a tile forwards twice, and backwards with as many products.
    """
    products = {PRIMAL: (0, 1), ADJOINT: (0, 3), ADJOINT_TWICE: (0, 4)}
    products |= {tangent_name(count): (count, 1) for count in (1, 4, 8)}
    if name not in products or not any(other.startswith("products") for other in group.found):
        return None
    directions, times = products[name]
    return times * bound(group, directions)


def draw(groups: Sequence[Group], figure: "Figure") -> None:
    """Draw speed and memory of every contestant, one line each."""
    shown = [(group, each) for group in groups for each in group.found.values() if each.runs]
    shown = [(group, each) for group, each in shown if not each.name.startswith("products")][::-1]
    figure.set_size_inches(11, 0.3 * len(shown) + 1.5)
    speed, memory = figure.subplots(1, 2, sharey=True)
    look = looks(dict.fromkeys(each.name for _, each in reversed(shown)))
    for at, (_, each) in enumerate(shown):
        speed.plot(1 / each.seconds_per_base, at, linestyle="none", **look[each.name]._asdict())
        if each.peak_bytes:
            memory.plot(each.peak_bytes / 1e6, at, linestyle="none", **look[each.name]._asdict())
    speed.axvline(1 / bound(groups[0], 1), linestyle="--", color="0.4", label="matrix products alone, K = 1")
    speed.legend(loc="lower left", fontsize="small")
    labels = [f"{_PREFIXES.get(group.name, '')}{each.name}  (L {each.length:,})" for group, each in shown]
    speed.set_yticks(range(len(shown)), labels, fontsize="small")
    for axes, label in ((speed, "bases per second"), (memory, "peak memory (MB above what was resident)")):
        axes.set(xscale="log", xlabel=label)
        axes.xaxis.set_minor_formatter("")
