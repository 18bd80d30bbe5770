"""Ways to one number, <1, J v>: the derivative of the sum of all outputs along the contrast v.

It comes out of forward mode (the sum of J v) and of reverse mode (<gradient of the sum, v>), so that all ways are held
to the same. The exact one is independent of all: each family's arithmetic in numpy, complex float64, differentiated by
a complex step.
"""

import math

import torch
from torch import Tensor

from pgf_cli.bench.baselines.definitions import complex_step, definition
from pgf_cli.bench.baselines.ours import ADJOINT, TANGENT
from pgf_cli.bench.baselines.torch_modes import Reading, derivative_of_sum, gradient_of_sum
from pgf_cli.bench.framework.contestants import Contestant, Derivation, on_torch_threads
from pgf_cli.bench.framework.experiment import Setting
from pgf_cli.bench.subjects.layered import Subject
from pgf_cli.bench.subjects.random_models import random_bases
from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.directions import Contrast
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.sweeps import adjoint_sweep, tangent_sweep

SNAPSHOT_BUDGET = 10**6
"""Bytes of the adjoint's states; little enough to be used up where memory is compared."""


def exact_derivative(subject: Subject, codes: BaseCodes) -> Tensor:
    """Return <1, J v>, (), in float64 by a complex step through a definition that shares nothing with ours."""
    x = one_hot(codes, torch.float64, subject.model.device)
    v = Contrast().tangents(0, x)[0]
    y_dot = complex_step(definition(subject.model), x[:, :4].numpy(), v[:, :4].numpy())
    return torch.tensor(math.fsum(y_dot.ravel()), dtype=torch.float64)


def sweeps(subject: Subject, seed: int, tile: int) -> list[Contestant]:
    """Return our two, which keep nothing of a tile but its share of the number."""

    def tangent(length: int) -> Derivation:
        codes = random_bases(length, seed)
        return lambda: _sum_of_tangent(subject, codes, tile)

    def adjoint(length: int) -> Derivation:
        codes = random_bases(length, seed)
        return lambda: _sum_of_adjoint(subject, codes, tile)

    return [Contestant(TANGENT, tangent), Contestant(ADJOINT, adjoint)]


def _sum_of_tangent(subject: Subject, codes: BaseCodes, tile: int) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for part in tangent_sweep(subject.model, codes, Contrast(), end=len(codes), tile=tile):
        total += part.y_dot.double().sum()
    return total


def _sum_of_adjoint(subject: Subject, codes: BaseCodes, tile: int) -> Tensor:
    model, total = subject.model, torch.zeros((), dtype=torch.float64)
    sweep = adjoint_sweep(model, codes, subject.sum_of_outputs(), end=len(codes), tile=tile, budget=SNAPSHOT_BUDGET)
    for part in sweep:
        v = Contrast().tangents(part.start, one_hot(part.bases, model.dtype, model.device))[0]
        total += (part.x_bar.double() * v).sum()
    return total


def reverse(subject: Subject, setting: Setting, length: int, reading: Reading) -> Derivation:
    """Return torch's reverse mode."""
    model, codes = subject.model, random_bases(length, setting.seed)

    def work() -> Tensor:
        x = one_hot(codes, model.dtype, model.device)
        x_bar = gradient_of_sum(model, x, reading).x
        return (x_bar.double() * Contrast().tangents(0, x)[0]).sum()

    return on_torch_threads(setting.threads, work)


def forward(subject: Subject, setting: Setting, length: int, tile: int | None) -> Derivation:
    """Return torch's forward mode, of the whole at once or tile after tile."""
    model, codes = subject.model, random_bases(length, setting.seed)

    def work() -> Tensor:
        x = one_hot(codes, model.dtype, model.device)
        return derivative_of_sum(model, x, Contrast().tangents(0, x)[0], tile)

    return on_torch_threads(setting.threads, work)


def checkpointed(subject: Subject, setting: Setting, length: int, segment: int) -> Derivation:
    """Return reverse mode that keeps only the states between segments."""
    return reverse(subject, setting, length, Reading(segment=segment))
