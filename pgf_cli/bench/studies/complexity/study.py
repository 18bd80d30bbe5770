"""What a derivative costs: time against state size, width, length, directions and layers, with fitted exponents.

The paper's appendix A.3 varies N from 8 to 256 at D 64 and L 100, beside a dense real-time recurrent learning update.
Here both compute the same gradient, that of A_log, and are compared; beyond it, every family's tangent along all axes
at lengths where the computing outweighs the calling.

The independent source is the recurrent learning update itself in float64, which shares no step with our adjoint.
"""

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor

from pgf_cli.bench.baselines.ours import ContrastAndRandom
from pgf_cli.bench.baselines.recurrent_learning import decay_gradient
from pgf_cli.bench.framework.contestants import on_torch_threads, relative_error
from pgf_cli.bench.framework.experiment import Effort, Experiment, Outcome, Setting
from pgf_cli.bench.framework.timing import Work, interleaved
from pgf_cli.bench.studies.complexity.report import (
    LEARNING,
    OURS,
    CostRow,
    describe,
    draw,
    fits,
    summarise,
)
from pgf_cli.bench.subjects.random_models import random_bases, random_frechet, random_mamba, random_mamba2
from pgf_cli.bench.subjects.sizes import Sizes
from pgf_cli.core.models import FrechetModel, StreamingModel
from pgf_cli.core.objectives import SumOutputs
from pgf_cli.core.sweeps import adjoint_sweep, tangent_sweep

CLAIM = (
    "The cost of a derivative grows at most linearly with state size, length, directions and layers; "
    "that of dense real-time recurrent learning grows with a higher power of the state size."
)

PAPER_LENGTH = 100
TILE = 1024
CHECKED_STATE = 8
STEEPEST = 3
"""The exponent that a run is expected to take after the one before it, when told a time limit."""

Values = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Point:
    """One size of everything."""

    state: int = 16
    channels: int = 64
    length: int = 4096
    directions: int = 1
    layers: int = 2


EFFORTS: dict[Effort, tuple[Values, int]] = {
    "quick": (
        {"state": (8, 32, 128), "channels": (32, 64, 128), "length": (256, 512, 1024), "directions": (1, 2, 4)}
        | {"layers": (1, 2, 4)},
        2,
    ),
    "published": (
        {"state": (8, 16, 32, 64, 128, 256), "channels": (32, 64, 128, 256), "directions": (1, 2, 4, 8, 16)}
        | {"length": (1024, 4096, 16_384, 65_536), "layers": (1, 2, 4, 8)},
        3,
    ),
    "extended": (
        {"state": (8, 16, 32, 64, 128, 256), "channels": (32, 64, 128, 256, 512, 1024)}
        | {"directions": (1, 2, 4, 8, 16, 32), "length": (1024, 4096, 16_384, 65_536, 262_144)}
        | {"layers": (1, 2, 4, 8, 16, 32)},
        5,
    ),
}
"""Values of each axis, and rounds."""


def run(setting: Setting) -> Outcome:
    """Measure."""
    values, repeats = EFFORTS[setting.effort]
    point = Point(length=min(Point.length, max(values["length"])))
    rows: list[CostRow] = []
    makers = {OURS: partial(_ours, setting.seed), LEARNING: partial(_learning, setting)}
    at_paper = replace(point, length=PAPER_LENGTH)
    for name, make in makers.items():
        rows += measure(name, "state", values["state"], partial(_at, make, at_paper, "state"), repeats, setting)
    for name, family in FAMILIES.items():
        for axis in values:
            if axis != "layers" or name != "Frechet":
                make = partial(_tangent, family, setting.seed)
                rows += measure(name, axis, values[axis], partial(_at, make, point, axis), repeats, setting)
    error = gradient_error(random_frechet(Point.channels, CHECKED_STATE, setting.seed), setting.seed)
    summary = summarise(rows, error)
    finding, holds = describe(rows, summary)
    return Outcome(rows, finding, holds, summary, partial(draw, rows), fits(rows))


def measure(
    series: str, axis: str, values: tuple[int, ...], prepare: Callable[[int], Work], repeats: int, setting: Setting
) -> list[CostRow]:
    """Time one series along one axis, all its values in turn; those that would take too long are left out."""
    setting.progress.message(f"{series}: {axis} {values[0]} to {values[-1]}")
    works: dict[str, Work] = {}
    rows: list[CostRow] = []
    seconds, last = 0.0, values[0]
    for value in values:
        expected = seconds * (value / last) ** STEEPEST
        if setting.seconds is not None and expected > setting.seconds:
            note = f"left out: might take {expected:,.0f} s"
            rows.append(CostRow(series, axis, value, None, None, note))
            continue
        work = prepare(value)
        # The first run may compile.
        work()
        began = time.perf_counter()
        work()
        works[str(value)], last, seconds = work, value, time.perf_counter() - began
    for name, runs in interleaved(works, repeats).items():
        rows += [CostRow(series, axis, int(name), turn, each.seconds, "") for turn, each in enumerate(runs, start=1)]
    return rows


def gradient_error(model: FrechetModel, seed: int) -> float:
    """Return the relative error of our float32 gradient of A_log against recurrent learning in float64."""
    codes = random_bases(PAPER_LENGTH, seed)
    return relative_error(adjoint_gradient(model, seed, PAPER_LENGTH), decay_gradient(_double(model), codes))


def adjoint_gradient(model: FrechetModel, seed: int, length: int) -> Tensor:
    """Return the gradient (N,) of the sum of all outputs with respect to A_log by the adjoint sweep."""
    codes = random_bases(length, seed)
    objective = SumOutputs(None, model.config.d_model, model.dtype, model.device)
    sweep = adjoint_sweep(model, codes, objective, end=length, tile=TILE, parameters=True)
    for _ in sweep:
        pass
    assert sweep.parameter_bars is not None
    return sweep.parameter_bars["A_log"]


def _double(model: FrechetModel) -> FrechetModel:
    return copy.deepcopy(model).double()


def _at(make: Callable[[Point], Work], point: Point, axis: str, value: int) -> Work:
    return make(replace(point, **{axis: value}))


def _ours(seed: int, point: Point) -> Work:
    return partial(adjoint_gradient, random_frechet(point.channels, point.state, seed), seed, point.length)


def _learning(setting: Setting, point: Point) -> Work:
    model = random_frechet(point.channels, point.state, setting.seed)
    return on_torch_threads(setting.threads, partial(decay_gradient, model, random_bases(point.length, setting.seed)))


def _tangent(family: Callable[[Point, int], StreamingModel], seed: int, point: Point) -> Work:
    model, codes = family(point, seed), random_bases(point.length, seed)
    direction = ContrastAndRandom(point.directions, seed)

    def work() -> None:
        for _ in tangent_sweep(model, codes, direction, end=len(codes), tile=TILE):
            pass

    return work


FAMILIES: dict[str, Callable[[Point, int], StreamingModel]] = {
    "Frechet": lambda point, seed: random_frechet(point.channels, point.state, seed),
    "Mamba": lambda point, seed: random_mamba(Sizes(point.layers, point.channels, point.state), seed),
    "Mamba-2": lambda point, seed: random_mamba2(Sizes(point.layers, point.channels, point.state), seed),
}

EXPERIMENT = Experiment(claim=CLAIM, run=run)
