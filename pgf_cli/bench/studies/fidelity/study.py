"""Figure 2: how far the tangent is from the truth, over stiffness and length, in every family; and finite differences.

The truth is the complex step through definitions of their own in float64 (``definitions``), which share neither code
nor a rule of differentiation with the sweeps. Beside the tangent's error stands how far the truth itself moves when the
weights are moved by a rounding: of an ill-conditioned derivative nobody can ask for more digits than that.
"""

import time
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from pgf_cli.bench.baselines.definitions import Array, complex_step, definition
from pgf_cli.bench.framework.experiment import Effort, Experiment, Outcome, Setting
from pgf_cli.bench.studies.fidelity.report import (
    DIFFERENCE,
    MOVED,
    TANGENT,
    FidelityRow,
    describe,
    draw,
    summarise,
    table,
)
from pgf_cli.bench.subjects.families import FAMILIES, Family, with_stiffness
from pgf_cli.bench.subjects.random_models import random_bases
from pgf_cli.core.directions import Contrast
from pgf_cli.core.models import StreamingModel
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.sweeps import tangent_sweep
from pgf_cli.core.tiles import default_tile

CLAIM = "The error of the derivative grows neither with stiffness nor with length."

FORMATS = {torch.float32: "float32", torch.float64: "float64"}
DIFFERENCED = 128
"""Bases of the sequence whose outputs are differenced."""
STEPS = tuple(float(10 ** (-exponent / 2)) for exponent in range(25))
"""Of finite differences, in units of the one-hot input: 1 to 1e-12 by half decades."""


class Workload(NamedTuple):
    """How much an effort measures."""

    A_logs: tuple[float, ...]
    lengths: tuple[int, ...]
    """Ascending."""


EFFORTS: dict[Effort, Workload] = {
    "quick": Workload((-8.0, -4.0, -1.0), (100, 1_000)),
    "published": Workload(tuple(map(float, range(-8, 0))), (100, 300, 1_000, 3_000, 10_000)),
    "extended": Workload(tuple(map(float, range(-8, 7))), (100, 1_000, 10_000, 100_000)),
}


def run(setting: Setting) -> Outcome:
    """Measure."""
    effort = EFFORTS[setting.effort]
    rows: list[FidelityRow] = []
    for family in FAMILIES:
        for A_log in effort.A_logs:
            setting.progress.message(f"{family.name}, A_log {A_log:g}, up to {effort.lengths[-1]:,} bases")
            rows += _against_truth(family, A_log, effort.lengths, setting)
        setting.progress.message(f"{family.name}, finite differences of {len(STEPS)} steps")
        rows += _differences(family, setting.seed)
    summary = summarise(rows)
    finding, holds = describe(rows, summary)
    return Outcome(rows, finding, holds, summary, partial(draw, rows), table(rows))


def _against_truth(family: Family, A_log: float, lengths: tuple[int, ...], setting: Setting) -> Iterator[FidelityRow]:
    """One stiffness at every length, each swept from the first base on, as long as the time limit allows."""
    model, expected, longest = with_stiffness(family.make(setting.seed), A_log), 0.0, 0
    moved = definition(_moved_by_a_rounding(with_stiffness(family.make(setting.seed), A_log), setting.seed))
    for length in lengths:
        expected *= length / max(1, longest)
        if setting.seconds is not None and expected > setting.seconds:
            note = f"left out: would take about {expected:,.0f} s"
            yield from (
                FidelityRow(family.name, TANGENT, name, A_log, length, None, None, note) for name in FORMATS.values()
            )
            continue
        began = time.perf_counter()
        x, v = _input(length, setting.seed)
        truth = complex_step(definition(model), x, v)
        for dtype, name in FORMATS.items():
            error = _relative_error(_tangent(model.to(dtype), length, setting.seed), truth)
            yield FidelityRow(family.name, TANGENT, name, A_log, length, None, error, "")
        error = _relative_error(complex_step(moved, x, v), truth)
        yield FidelityRow(family.name, MOVED, "float32", A_log, length, None, error, "")
        expected, longest = time.perf_counter() - began, length


def _differences(family: Family, seed: int) -> Iterator[FidelityRow]:
    """Central differences of the definition with each step, in both formats, of the family's own initial weights."""
    model, (x, v) = family.make(seed), _input(DIFFERENCED, seed)
    truth = complex_step(definition(model), x, v)
    for dtype, name in FORMATS.items():
        tangent = _tangent(model.to(dtype), DIFFERENCED, seed)
        yield FidelityRow(family.name, TANGENT, name, None, DIFFERENCED, None, _relative_error(tangent, truth), "")
    for name in FORMATS.values():
        function = definition(model, name)
        for step in STEPS:
            ahead, behind = (function((x + side * step * v).astype(name)) for side in (1, -1))
            error = _relative_error((ahead.astype(float) - behind) / (2 * step), truth)
            yield FidelityRow(family.name, DIFFERENCE, name, None, DIFFERENCED, step, error, "")


def _moved_by_a_rounding(model: StreamingModel, seed: int) -> StreamingModel:
    """The model in float64 with its weights off by up to one rounding of float32."""
    generator, rounding = torch.Generator().manual_seed(seed), torch.finfo(torch.float32).eps / 2
    for weight in model.double().parameters():
        noise = 2 * torch.rand(weight.shape, generator=generator, dtype=torch.float64) - 1
        weight.mul_(1 + rounding * noise)
    return model


def _input(length: int, seed: int) -> tuple[Array, Array]:
    """One-hot bases and the contrast in them, (L, 4), in float64."""
    x = one_hot(random_bases(length, seed), torch.float64, torch.device("cpu"))
    return x[:, :4].numpy(), Contrast().tangents(0, x)[0, :, :4].numpy()


def _tangent(model: StreamingModel, length: int, seed: int) -> Array:
    """Our sweep's y_dot, (L, C)."""
    sweep = tangent_sweep(model, random_bases(length, seed), Contrast(), end=length, tile=default_tile(model, 1))
    y_dot: Array = torch.cat([part.y_dot[0] for part in sweep]).numpy()
    return y_dot


def _relative_error(found: Array, truth: Array) -> float:
    """||found - truth|| / ||truth||."""
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth))


EXPERIMENT = Experiment(claim=CLAIM, run=run)
