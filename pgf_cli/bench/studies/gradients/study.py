"""Peak memory of parameter gradients against length (the paper's A.4): the adjoint sweep beside autograd.

Of the sum of all outputs. The exact gradients are torch's, in float64, through the recurrences as ``plain_scans`` has
them: they share no line of a derivative with ours.
"""

import copy
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from pgf_cli.bench.baselines.checkpoint_spacing import Spacing, best_spacing
from pgf_cli.bench.baselines.ours import ADJOINT
from pgf_cli.bench.baselines.plain import AUTOGRAD, CHECKPOINTING
from pgf_cli.bench.baselines.torch_modes import Reading, gradient_of_sum
from pgf_cli.bench.framework.contestants import Contestant, Derivation, on_torch_threads
from pgf_cli.bench.framework.experiment import Effort, Experiment, Outcome, Setting
from pgf_cli.bench.studies.families_over_length import Workload, measure_families, rows_with_errors
from pgf_cli.bench.studies.gradients.report import describe, summarise
from pgf_cli.bench.studies.length_series_report import SeriesRow
from pgf_cli.bench.subjects.layered import Subject
from pgf_cli.bench.subjects.random_models import random_bases
from pgf_cli.bench.subjects.sizes import Sizes
from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.models import StreamingModel
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.sweeps import adjoint_sweep

CLAIM = "Peak memory of parameter gradients does not grow with length, where autograd's grows with it."
TILE = 128
SNAPSHOT_BUDGET = 5 * 10**5
"""Bytes of the adjoint's states; little enough to be used up by the second length."""
CHANNELS, STATE = 64, 16
EXACT_SEGMENT = 64


EFFORTS: dict[Effort, Workload] = {
    "quick": Workload((256, 512, 2048), 2, 0.7, 256, Sizes(2, 32, 16)),
    "published": Workload((1000, 3000, 10_000, 100_000), 2, 20.0, 3000, Sizes(4, 64, 16)),
    "extended": Workload((1000, 10_000, 100_000, 1_000_000), 3, 600.0, 10_000, Sizes(4, 64, 16)),
}


class _Differentiable(NamedTuple):
    """A subject, and a copy of its model whose weights torch differentiates."""

    subject: Subject
    model: StreamingModel

    def in_float64(self) -> "_Differentiable":
        return self._replace(model=copy.deepcopy(self.model).double())


def run(setting: Setting) -> Outcome:
    """Measure."""
    effort = EFFORTS[setting.effort]

    def measure(subject: Subject) -> list[SeriesRow]:
        return measure_subject(subject, effort, setting)

    return measure_families(setting, (CHANNELS, STATE), effort.layered, measure, summarise, describe)


def measure_subject(
    subject: Subject, effort: Workload, setting: Setting, ours: Sequence[Contestant] | None = None
) -> list[SeriesRow]:
    """Measure one model; `ours` in place of the adjoint sweep."""
    twin = _Differentiable(subject, copy.deepcopy(subject.model).requires_grad_(True))
    prepare = partial(_checkpointed, twin, setting)
    spacing, tried = best_spacing(prepare, effort.lengths[0], setting, subject.words)
    contestants = [*([sweep(subject, setting.seed)] if ours is None else ours), *_rivals(twin, spacing, setting)]

    def exact(length: int) -> Tensor:
        return _gradients(twin.in_float64(), random_bases(length, setting.seed), Reading(segment=EXACT_SEGMENT))

    return rows_with_errors(subject, contestants, tried, effort, setting, exact)


def sweep(subject: Subject, seed: int) -> Contestant:
    """Return ours."""

    def prepare(length: int) -> Derivation:
        codes = random_bases(length, seed)
        return lambda: _swept(subject, codes)

    return Contestant(ADJOINT, prepare)


def _swept(subject: Subject, codes: BaseCodes) -> Tensor:
    """All gradients, one after the other, (parameters,)."""
    tiles = adjoint_sweep(
        subject.model,
        codes,
        subject.sum_of_outputs(),
        end=len(codes),
        tile=TILE,
        budget=SNAPSHOT_BUDGET,
        parameters=True,
    )
    for _ in tiles:
        pass
    bars = tiles.parameter_bars or {}
    return torch.cat([bars[name].flatten() for name, _ in subject.model.named_parameters()])


def _rivals(twin: _Differentiable, spacing: Spacing, setting: Setting) -> list[Contestant]:
    def autograd(length: int) -> Derivation:
        return _by_torch(twin, setting, length, Reading())

    def best_checkpointing(length: int) -> Derivation:
        return _checkpointed(twin, setting, length, spacing(length))

    return [Contestant(AUTOGRAD, autograd, rival=True), Contestant(CHECKPOINTING, best_checkpointing, rival=True)]


def _checkpointed(twin: _Differentiable, setting: Setting, length: int, segment: int) -> Derivation:
    return _by_torch(twin, setting, length, Reading(segment=segment))


def _by_torch(twin: _Differentiable, setting: Setting, length: int, reading: Reading) -> Derivation:
    codes = random_bases(length, setting.seed)
    return on_torch_threads(setting.threads, lambda: _gradients(twin, codes, reading))


def _gradients(twin: _Differentiable, codes: BaseCodes, reading: Reading) -> Tensor:
    """All gradients, one after the other, (parameters,)."""
    x = one_hot(codes, twin.model.dtype, twin.model.device)
    return torch.cat([bar.flatten() for bar in gradient_of_sum(twin.model, x, reading).parameters])


EXPERIMENT = Experiment(claim=CLAIM, run=run)
