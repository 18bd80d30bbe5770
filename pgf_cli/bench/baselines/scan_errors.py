"""Ways to the tangent of the paper's scan beside each other and beside the truth, over long noise.

Several stiffnesses are swept at once, each in channels of its own: inputs, step sizes and maps do not depend on A, so
all are given the same float32 numbers, the truth too, and only the scan itself is judged. The truth is the complex step
in float64 (``definitions``).
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pgf_cli.bench.baselines import definitions
from pgf_cli.bench.baselines.definitions import IMAGINARY_STEP, Array, recurrence, softplus
from pgf_cli.bench.subjects.dense_operator import Noise
from pgf_cli.bench.subjects.random_models import random_frechet
from pgf_cli.core.models import FrechetModel
from pgf_cli.core.ops.frechet_scan import Scan, ScanDual
from pgf_cli.core.threads import flush_denormals

Way = Callable[[Scan, Scan], ScanDual]
"""Advances a scan and one direction of it by a tile of float32 numbers; the state is as the way itself returned it."""


@dataclass(frozen=True)
class Problem:
    """The paper's operator, initialised as it initialises it, on normal noise and along normal noise."""

    channels: int
    state: int
    A_logs: Sequence[float]
    seed: int

    @cached_property
    def model(self) -> FrechetModel:
        """Where the weights come from, in float64."""
        return random_frechet(self.channels, self.state, self.seed).double()

    def initial(self) -> tuple[Tensor, Tensor]:
        """Return the state before the first base (S D, N) and its tangent (1, ...)."""
        estimator, (u, u_dot) = self.model.init_estimator, self._inputs(0, self.model.lookahead)
        h = self._stacked(estimator(u.flatten()).view(self.channels, -1), 0)
        h_dot = self._stacked((estimator.weight @ u_dot.flatten()).view(1, self.channels, -1), 1)
        return h.float(), h_dot.float()

    def tile(self, first: int, last: int, h: Tensor, h_dot: Tensor) -> tuple[Scan, Scan]:
        """Return the scan over bases [first, last) of all stiffnesses, (T, S D), and its tangent, (1, T, S D)."""
        model, (u, u_dot) = self.model, self._inputs(first, last)
        layers = (model.dt_proj, model.B_proj, model.C_proj)
        step, B, C = (layer(u).float() for layer in layers)
        step_dot, B_dot, C_dot = ((u_dot @ layer.weight.T).float()[None] for layer in layers)
        A = -torch.exp(torch.tensor(self.A_logs)).repeat_interleave(self.channels)[:, None].expand(-1, self.state)
        D, scale = self._stacked(model.D, 0).float(), model.redshift_scale.float()
        primal = Scan(self._stacked(step, 1), A, B, C, D, self._stacked(u.float(), 1), scale, h)
        u_dot = self._stacked(u_dot.float()[None], 2)
        return primal, Scan(self._stacked(step_dot, 2), A, B_dot, C_dot, D, u_dot, scale, h_dot)

    def _inputs(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        u, u_dot = (Noise(self.channels, 1.0, 2 * self.seed + which) for which in (0, 1))
        return u(first, last).double(), u_dot(first, last).double()

    def _stacked(self, one: Tensor, dim: int) -> Tensor:
        return torch.cat([one] * len(self.A_logs), dim)


class ScanRow(NamedTuple):
    """One way at one stiffness up to one length, or a length that was left out."""

    way: str
    A_log: float
    seed: int
    length: int
    error: float | None
    """Relative, in the 2-norm over bases and channels; NaN where the tangent is."""
    note: str


class Ends(NamedTuple):
    """One way at one stiffness, from its shortest length to its longest; infinite for what is not a number."""

    way: str
    A_log: float
    shortest: int
    error_shortest: float
    """Median over seeds."""
    longest: int
    error_longest: float
    largest: float
    """Over all lengths and seeds."""


def ends_of(rows: Iterable[ScanRow]) -> list[Ends]:
    """Return what every way comes to at every stiffness."""
    by_series: dict[tuple[str, float], dict[int, list[float]]] = {}
    for row in rows:
        if row.error is not None:
            error = math.inf if math.isnan(row.error) else row.error
            by_series.setdefault((row.way, row.A_log), {}).setdefault(row.length, []).append(error)
    found = []
    for (way, A_log), errors in by_series.items():
        low, high = min(errors), max(errors)
        largest = max(map(max, errors.values()))
        found.append(Ends(way, A_log, low, median(errors[low]), high, median(errors[high]), largest))
    return found


def scan_errors(
    problem: Problem, ways: Mapping[str, Way], lengths: Sequence[int], tile: int, seconds: float | None
) -> Iterator[ScanRow]:
    """Sweep all ways and the truth in step and yield every length's rows, as long as the time limit allows.

    Args:
        problem: what is swept.
        ways: by name.
        lengths: ascending; the error up to one is over all its bases.
        tile: bases handed to a way at a time.
        seconds: what sweeping up to a length may take; None: anything. The shortest is always swept.
    """
    began, found, done = time.perf_counter(), running_errors(problem, ways, lengths, tile), 0
    errors: dict[str, Array | None]
    for length in lengths:
        expected = (time.perf_counter() - began) * length / done if done else 0.0
        if seconds is not None and expected > seconds:
            errors, note = {**dict.fromkeys(ways)}, f"left out: would take about {expected:,.0f} s"
        else:
            errors, note, done = {**next(found)}, "", length
        for name, by_stiffness in errors.items():
            for index, A_log in enumerate(problem.A_logs):
                error = None if by_stiffness is None else float(by_stiffness[index])
                yield ScanRow(name, A_log, problem.seed, length, error, note)


def running_errors(
    problem: Problem, ways: Mapping[str, Way], lengths: Sequence[int], tile: int
) -> Iterator[dict[str, Array]]:
    """Yield for each length how far each way is from the truth up to there, (S,); only tiles are kept."""
    states = dict.fromkeys(ways, problem.initial())
    h, h_dot = problem.initial()
    true_state = _moved(h.double(), h_dot.double())
    squares = dict.fromkeys(("truth", *ways), np.zeros(len(problem.A_logs)))
    for first in range(0, lengths[-1], tile):
        last = min(first + tile, lengths[-1])
        truth, true_state = _true_tangent(*problem.tile(first, last, h, h_dot), true_state)
        parts = {"truth": _running_squares(truth, problem)}
        for name, way in ways.items():
            with torch.no_grad(), flush_denormals():
                dual = way(*problem.tile(first, last, *states[name]))
            states[name] = dual.h, dual.h_dot
            parts[name] = _running_squares(dual.y[1].double().numpy() - truth, problem)
        for length in lengths:
            if first < length <= last:
                here = {name: squares[name] + part[length - first - 1] for name, part in parts.items()}
                yield {name: np.sqrt(here[name] / here["truth"]) for name in ways}
        squares = {name: squares[name] + part[-1] for name, part in parts.items()}


def _running_squares(rows: Array, problem: Problem) -> Array:
    """Sums of squares up to each base, (T, S), of rows (T, S D)."""
    by_stiffness: Array = np.square(rows).reshape(-1, len(problem.A_logs), problem.channels).sum(2)
    return by_stiffness.cumsum(0)


def _moved(value: Tensor, tangent: Tensor) -> Array:
    """A primal and its one tangent (1, ...) as a complex number."""
    moved: Array = value.numpy() + 1j * IMAGINARY_STEP * tangent[0].numpy()
    return moved


def _true_tangent(primal: Scan, dot: Scan, h: Array) -> tuple[Array, Array]:
    """The tangent of y (T, E), and the complex state after the tile."""
    primal, dot = (Scan(*(part.double() for part in scan)) for scan in (primal, dot))
    step, B, C, u = map(_moved, (primal.step, primal.B, primal.C, primal.u), (dot.step, dot.B, dot.C, dot.u))
    s, h = recurrence(definitions.Scan(step, primal.A.numpy(), B, C, primal.D.numpy(), u, h), held=True)
    return (softplus(s) * primal.scale.numpy()).imag / IMAGINARY_STEP, h
