"""Contestants for the same derivative, measured side by side: time, memory, and whether they agree."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from pgf_cli.bench.framework.affordable import Affordable, affordable_length
from pgf_cli.bench.framework.timing import Watched, interleaved, median_peak, median_seconds
from pgf_cli.progress import Progress

NOTE_LENGTH = 120

Derivation = Callable[[], Tensor | None]
"""Computes a derivative, (L, columns); None from work that computes none, such as the bound."""


@dataclass(frozen=True)
class Contestant:
    """One way to a derivative."""

    name: str
    prepare: Callable[[int], Derivation]
    """Makes the work for a length; an ImportError says that it is not installed."""
    same_as: str | None = None
    """The contestant in the same group that computes the same derivative."""
    rival: bool = False
    """Whether it is another way than ours, whose failure is a row and not an error."""
    tried_shorter: bool = True
    """Whether its length is found by trying shorter ones; not where each length compiles for minutes."""


class Measured(NamedTuple):
    """What became of a contestant."""

    contestant: Contestant
    length: int | None
    runs: tuple[Watched, ...]
    """Empty where it could not be run."""
    error: float | None
    """Relative error of its derivative against that of ``same_as``, in the 2-norm over the sequence."""
    note: str

    @property
    def name(self) -> str:
        """The contestant's."""
        return self.contestant.name

    @property
    def seconds_per_base(self) -> float:
        """Median; NaN where it could not be run."""
        return median_seconds(self.runs) / self.length if self.runs and self.length else float("nan")

    @property
    def peak_bytes(self) -> int | None:
        """Median."""
        return median_peak(self.runs)


class _Ready(NamedTuple):
    contestant: Contestant
    affordable: Affordable
    work: Derivation
    derivative: Tensor | None


def measure(
    contestants: Sequence[Contestant], length: int, repeats: int, seconds: float | None, progress: Progress
) -> list[Measured]:
    """Warm every contestant up, then run all of them in turn.

    Args:
        contestants: a group; those that others are the ``same_as`` of are among it.
        length: bases; a contestant that would exceed the limits gets a shorter sequence, and says so.
        repeats: rounds.
        seconds: what a single run may take; None: anything.
        progress: told what is being measured.
    """
    ready: dict[str, _Ready] = {}
    failed: dict[str, str] = {}
    for contestant in contestants:
        progress.message(f"warming up: {contestant.name}")
        outcome = _make_ready(contestant, length, seconds)
        if isinstance(outcome, str):
            failed[contestant.name] = outcome
        else:
            ready[contestant.name] = outcome
    progress.message(f"timing {len(ready)} contestants, {repeats} rounds, up to {length:,} bases")
    runs = interleaved({name: each.work for name, each in ready.items()}, repeats)
    return [
        _measured(ready[each.name], ready, tuple(runs[each.name]))
        if each.name in ready
        else Measured(each, None, (), None, failed[each.name])
        for each in contestants
    ]


def relative_error(found: Tensor, exact: Tensor) -> float:
    """Return ||found - exact|| / ||exact||."""
    found, exact = found.detach().double(), exact.detach().double()
    return float((found - exact).norm() / exact.norm())


def failure_note(error: Exception) -> str:
    """Return what a row says of a rival that failed."""
    return textwrap.shorten(f"failed: {type(error).__name__}: {error}", NOTE_LENGTH, placeholder=" ...")


def _make_ready(contestant: Contestant, length: int, seconds: float | None) -> _Ready | str:
    """The contestant, warmed up; or why it cannot be run."""
    try:
        affordable = Affordable(length, None)
        if contestant.tried_shorter:
            affordable = affordable_length(contestant.prepare, length, seconds)
        work = contestant.prepare(affordable.length)
        return _Ready(contestant, affordable, work, work())
    except ImportError as error:
        if not contestant.rival:
            raise
        return f"not installed ({error.name}): pip install 'pgf-sensitivity[bench]'"
    except Exception as error:
        # Whatever somebody else's code does, hours of measurements beside it are not lost.
        if not contestant.rival:
            raise
        return failure_note(error)


def _measured(ready: _Ready, others: dict[str, _Ready], runs: tuple[Watched, ...]) -> Measured:
    contestant, affordable, _, derivative = ready
    error = None
    if contestant.same_as is not None and derivative is not None:
        other = others[contestant.same_as]
        same_length = other.affordable.length == affordable.length
        exact = other.derivative if same_length else other.contestant.prepare(affordable.length)()
        assert exact is not None
        error = relative_error(derivative, exact)
    return Measured(contestant, affordable.length, runs, error, affordable.shortened or "")


def on_torch_threads(count: int, work: Derivation) -> Derivation:
    """Let torch itself use its threads for this work, as other people's code does; ours gives it one."""

    def run() -> Tensor | None:
        torch.set_num_threads(count)
        try:
            return work()
        finally:
            torch.set_num_threads(1)

    return run
