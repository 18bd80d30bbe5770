"""Training a single layer by the tiled adjoint: the paper's Figure 5.

A forward sweep keeps the states at tile edges; a sweep back computes each tile again and injects the loss. Beside it
runs autograd of the definition, from the same initial weights on the same random inputs and targets.

The independent source is that autograd in float64. A loss curve alone would not show every wrong gradient, since Adam
forgives any factor. So the first step's gradients are compared, too.
"""

import copy
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from pgf_cli.bench.baselines.layer_training import (
    Layer,
    autograd_gradients,
    checkpointed_gradients,
    make_layer,
    tiled_gradients,
)
from pgf_cli.bench.framework.contestants import relative_error
from pgf_cli.bench.framework.experiment import Effort, Experiment, Outcome, Setting
from pgf_cli.bench.framework.timing import watch
from pgf_cli.bench.studies.training.report import (
    AUTOGRAD,
    CHECKPOINTING,
    EXACT,
    OURS,
    StepRow,
    describe,
    draw,
    summarise,
    table,
)

CLAIM = "Training by the tiled adjoint follows the loss curve of autograd in less memory."

CHANNELS, STATE, TILE, RATE = 128, 16, 128, 1e-4
WORK = 10_240
"""Positions read by a fit, of which the shorter lengths make more steps."""
STEPS = (10, 80)
"""Of a fit, at least and at most."""

Gradients = Callable[[Layer, Tensor, Tensor], float]
"""Sets every parameter's ``grad``; returns the loss."""


class Workload(NamedTuple):
    """How much an effort measures."""

    lengths: tuple[int, ...]
    steps: tuple[int, int]
    checkpointing: bool


EFFORTS: dict[Effort, Workload] = {
    "quick": Workload((128, 512), (4, 10), False),
    "published": Workload((128, 256, 512, 1024, 2048, 4096), STEPS, False),
    "extended": Workload((128, 256, 512, 1024, 2048, 4096, 8192, 16_384), STEPS, True),
}


class Task(NamedTuple):
    """What is fitted."""

    layer: Layer
    u: Tensor
    """(L, D)."""
    target: Tensor
    """(L, D)."""


def run(setting: Setting) -> Outcome:
    """Measure."""
    effort, rows = EFFORTS[setting.effort], []
    per_position: dict[str, float] = {}
    warm_up(setting.seed)
    for length in effort.lengths:
        task = make_task(CHANNELS, STATE, length, setting.seed)
        steps = min(max(WORK // length, effort.steps[0]), effort.steps[1])
        for name, gradients in methods(length, checkpointing=effort.checkpointing).items():
            if setting.seconds is not None and per_position.get(name, 0.0) * length * steps > setting.seconds:
                continue
            setting.progress.message(f"{name}, L {length:,}, {steps} steps")
            found = measure(name, gradients, as_double(task) if name == EXACT else task, steps)
            per_position[name] = found[0].seconds / length
            rows += found
    summary = summarise(rows)
    finding, holds = describe(rows, summary)
    return Outcome(rows, finding, holds, summary, partial(draw, rows), table(rows))


def warm_up(seed: int) -> None:
    """Let no fit pay for what torch imports and numba compiles at the first."""
    task = make_task(CHANNELS, STATE, 2, seed)
    for gradients in methods(2, checkpointing=True).values():
        fit(gradients, task, 1, [])


def methods(length: int, *, checkpointing: bool) -> dict[str, Gradients]:
    """Return the ways to the gradient by name, the exact one first."""
    ways: dict[str, Gradients] = {
        EXACT: autograd_gradients,
        OURS: partial(tiled_gradients, tile=TILE),
        AUTOGRAD: autograd_gradients,
    }
    if checkpointing:
        ways[CHECKPOINTING] = partial(checkpointed_gradients, segment=max(1, round(length**0.5)))
    return ways


def make_task(channels: int, state: int, length: int, seed: int) -> Task:
    """Draw initial weights, inputs and targets, float32."""
    generator = torch.Generator().manual_seed(seed)
    u, target = torch.randn(2, length, channels, generator=generator)
    return Task(make_layer(channels, state, seed), u, target)


def as_double(task: Task) -> Task:
    """Return the same numbers in float64."""
    return Task(copy.deepcopy(task.layer).double(), task.u.double(), task.target.double())


def measure(name: str, gradients: Gradients, task: Task, steps: int) -> list[StepRow]:
    """Fit a copy of the task's layer; a fit's memory is that of its worst step.

    Torch has one thread throughout: a step of the recurrence is too small to be shared, and autograd only slows down.
    """
    error = gradient_error(gradients, task)
    losses: list[float] = []
    seconds, peak = watch(partial(fit, gradients, task, steps, losses))
    return [
        StepRow(name, len(task.u), step, loss, seconds / steps, peak, error)
        for step, loss in enumerate(losses, start=1)
    ]


def fit(gradients: Gradients, task: Task, steps: int, losses: list[float]) -> None:
    """Fit a copy of the layer, adding the loss before each step to the list."""
    layer = copy.deepcopy(task.layer)
    optimiser = torch.optim.Adam(layer.parameters(), lr=RATE)
    for _ in range(steps):
        losses.append(gradients(layer, task.u, task.target))
        optimiser.step()


def gradient_error(gradients: Gradients, task: Task) -> float:
    """Return the largest relative error of any parameter's gradient at the initial weights, against float64."""
    ours, exact = copy.deepcopy(task.layer), as_double(task)
    gradients(ours, task.u, task.target)
    autograd_gradients(exact.layer, exact.u, exact.target)
    pairs = zip(ours.parameters(), exact.layer.parameters(), strict=True)
    errors = [relative_error(_grad(found), _grad(wanted)) for found, wanted in pairs]
    return float(torch.tensor(errors).max())


def _grad(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad


EXPERIMENT = Experiment(claim=CLAIM, run=run)
