"""A long sequence window by window: does the last window cost what the first did, and is its response as exact?

The paper's appendix H reads 131,072 steps in windows of 16,384; here they are noise through its operator, and a stretch
of chromosome through a trained Mamba. State and tangent state pass from window to window.

Every window is compared with a sweep in float64 whose tiles end elsewhere, and the first 512 positions with an
independent source: torch.func's forward mode through the operators' definitions in float64.
"""

import copy
import gc
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from pgf_cli.bench.framework.contestants import relative_error
from pgf_cli.bench.framework.experiment import Effort, Experiment, Outcome, Setting
from pgf_cli.bench.framework.timing import watch
from pgf_cli.bench.studies.long.report import WindowRow, describe, draw, summarise, table
from pgf_cli.bench.subjects.dense_operator import DenseOperator, Noise, dense_operator, dense_sweep
from pgf_cli.bench.subjects.sample import sample_bases, sample_model
from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.directions import Contrast
from pgf_cli.core.models import StreamingModel
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.sweeps import tangent_sweep

CLAIM = "Every window of a long sequence costs the time and memory of the first, and its response is as exact."

CHANNELS, STATE, A_LOG, DEVIATION = 256, 16, 0.0, 1.0
WINDOW, TILE = 16_384, 256
OTHER_TILE = 1000
"""Of the sweep in float64."""
CHECKED = 512

Sweep = Callable[[], Iterator[Tensor]]
"""Begins a sweep that yields y_dot (T, C) tile by tile."""


class Workload(NamedTuple):
    """How much an effort measures."""

    steps: int
    """Of noise."""
    bases: int
    """Of the chromosome."""
    runs: int


EFFORTS: dict[Effort, Workload] = {
    "quick": Workload(2 * WINDOW, 2 * WINDOW, 1),
    "published": Workload(131_072, 400_000, 3),
    "extended": Workload(2**18, 400_000, 5),
}


class Subject(NamedTuple):
    """A sequence and what is swept along it."""

    name: str
    length: int
    sweep: Sweep
    """In float32, in tiles of 256."""
    exact: Sweep
    """In float64, in tiles of 1,000."""
    definition: Callable[[int], Tensor]
    """y_dot of the first so many positions in float64, by torch.func."""


def run(setting: Setting) -> Outcome:
    """Measure."""
    effort, rows = EFFORTS[setting.effort], []
    for subject in subjects(effort, setting.seed):
        setting.progress.message(f"{subject.name}, {subject.length:,} positions: in float64")
        exact = torch.cat([*subject.exact()])
        by_definition = definition_error(subject)
        # What every sweep begins with.
        _read_window(subject.sweep())
        for turn in range(1, effort.runs + 1):
            setting.progress.message(f"{subject.name}, {subject.length:,} positions: run {turn}")
            rows += [row._replace(definition_error=by_definition) for row in windows(subject, exact, turn)]
    summary = summarise(rows)
    finding, holds = describe(rows, summary)
    return Outcome(rows, finding, holds, summary, partial(draw, rows), table(rows))


def subjects(effort: Workload, seed: int) -> list[Subject]:
    """Return the paper's operator along noise and the trained Mamba along its held-out stretch."""
    operator = dense_operator(CHANNELS, STATE, A_LOG, seed)
    return [noise_subject(operator, effort.steps, seed), sample_subject(sample_model(), sample_bases()[: effort.bases])]


def noise_subject(operator: DenseOperator, length: int, seed: int) -> Subject:
    """Return an operator along noise; the direction is other noise."""
    channels = operator.config.d_model
    u, u_dot = Noise(channels, DEVIATION, seed), Noise(channels, 1.0, seed + 1)
    double = copy.deepcopy(operator).double()

    def sweep(operator: DenseOperator, tile: int) -> Iterator[Tensor]:
        return (part.y_dot for part in dense_sweep(operator, u, u_dot, length, tile))

    def definition(count: int) -> Tensor:
        return forward_mode(double, u(0, count).double(), u_dot(0, count).double())

    name = f"Frechet operator D {channels}, noise"
    return Subject(name, length, partial(sweep, operator, TILE), partial(sweep, double, OTHER_TILE), definition)


def sample_subject(model: StreamingModel, codes: BaseCodes) -> Subject:
    """Return a model along bases; the direction is the contrast."""
    double = copy.deepcopy(model).double()

    def sweep(model: StreamingModel, tile: int) -> Iterator[Tensor]:
        return (part.y_dot[0] for part in tangent_sweep(model, codes, Contrast(), end=len(codes), tile=tile))

    def definition(count: int) -> Tensor:
        x = one_hot(codes[:count], double.dtype, double.device)
        return forward_mode(double, x, Contrast().tangents(0, x)[0])

    name = "trained Mamba, chromosome"
    return Subject(name, len(codes), partial(sweep, model, TILE), partial(sweep, double, OTHER_TILE), definition)


def forward_mode(model: StreamingModel, x: Tensor, v: Tensor) -> Tensor:
    """Return J v by torch.func through a model's definition, all positions at once."""

    def read(x: Tensor) -> Tensor:
        return model.forward(x, model.initial_state(x[: model.lookahead]))[0]

    with torch.no_grad():
        y_dot: Tensor = torch.func.jvp(read, (x,), (v,))[1]
    return y_dot


def definition_error(subject: Subject) -> float:
    """Return the relative error of the first positions against the definition."""
    count = min(CHECKED, subject.length)
    found = torch.cat([*islice(subject.sweep(), -(-count // TILE))])[:count]
    return relative_error(found, subject.definition(count))


def _read_window(tiles: Iterator[Tensor]) -> list[Tensor]:
    return [*islice(tiles, WINDOW // TILE)]


def windows(subject: Subject, exact: Tensor, turn: int) -> Iterator[WindowRow]:
    """Sweep once, timing every whole window; what is left over is no window.

    Right before each, the first window of a fresh sweep is timed, so that a slow minute of the machine falls on both.
    """
    tiles = subject.sweep()
    # Whole libraries need not be searched for garbage before each window.
    gc.freeze()
    try:
        for start in range(0, subject.length - WINDOW + 1, WINDOW):
            first = watch(partial(_read_window, subject.sweep())).seconds
            parts: list[Tensor] = []
            seconds, peak = watch(partial(parts.extend, islice(tiles, WINDOW // TILE)))
            y_dot = torch.cat(parts)
            response = float(y_dot.double().norm(dim=-1).mean())
            error = relative_error(y_dot, exact[start : start + WINDOW])
            yield WindowRow(subject.name, start // WINDOW + 1, start, turn, seconds, first, peak, response, error)
    finally:
        gc.unfreeze()


EXPERIMENT = Experiment(claim=CLAIM, run=run)
