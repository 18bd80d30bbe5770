"""Memory and time of <1, J v> against length, beside what torch makes of the same recurrences (the paper's Figure 1).

How each way comes to that number, and which source is exact, see ``directional``.
"""

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from pgf_cli.bench.baselines.checkpoint_spacing import Spacing, best_spacing
from pgf_cli.bench.baselines.directional import checkpointed, exact_derivative, forward, reverse, sweeps
from pgf_cli.bench.baselines.plain import AUTOGRAD, CHECKPOINTING, TORCH_FUNC
from pgf_cli.bench.baselines.plain_scans import associative
from pgf_cli.bench.baselines.torch_modes import Reading
from pgf_cli.bench.framework.contestants import Contestant, Derivation
from pgf_cli.bench.framework.experiment import Effort, Experiment, Outcome, Setting
from pgf_cli.bench.studies.families_over_length import Workload, measure_families, rows_with_errors
from pgf_cli.bench.studies.length_series_report import SeriesRow
from pgf_cli.bench.studies.scaling.report import describe, summarise
from pgf_cli.bench.subjects.layered import Subject
from pgf_cli.bench.subjects.random_models import random_bases
from pgf_cli.bench.subjects.sizes import Sizes

CLAIM = (
    "The derivative's peak memory does not grow with length and is at least 94% below autograd's, "
    "at 23 times its speed; <1, J v> agrees with <grad of the sum, v>."
)
TILE = 64
CHANNELS, STATE = 256, 16

FORWARD_MODE, PARALLEL, PARALLEL_CHECKPOINTED = "forward mode", "parallel scan", "parallel scan, checkpointed"


EFFORTS: dict[Effort, Workload] = {
    "quick": Workload((128, 512, 1024), 2, 0.5, 128, Sizes(2, 32, 16)),
    "published": Workload((1000, 3000, 10_000, 100_000), 2, 20.0, 10_000, Sizes(4, 64, 16)),
    "extended": Workload((1000, 10_000, 100_000, 1_000_000), 3, 600.0, 100_000, Sizes(4, 64, 16)),
}


def run(setting: Setting) -> Outcome:
    """Measure."""
    effort = EFFORTS[setting.effort]

    def measure(subject: Subject) -> list[SeriesRow]:
        return measure_subject(subject, effort, setting)

    return measure_families(setting, (CHANNELS, STATE), effort.layered, measure, summarise, describe)


def measure_subject(
    subject: Subject, effort: Workload, setting: Setting, ours: Sequence[Contestant] | None = None
) -> list[SeriesRow]:
    """Measure one model; `ours` in place of the two sweeps."""
    shortest = effort.lengths[0]
    spacing, tried = best_spacing(partial(checkpointed, subject, setting), shortest, setting, subject.words)
    contestants = [*(sweeps(subject, setting.seed, TILE) if ours is None else ours), *rivals(subject, spacing, setting)]

    def exact(length: int) -> Tensor:
        return exact_derivative(subject, random_bases(length, setting.seed))

    return rows_with_errors(subject, contestants, tried, effort, setting, exact)


def rivals(subject: Subject, spacing: Spacing, setting: Setting) -> list[Contestant]:
    """Return torch's ways; those of a parallel scan only where the definition is not parallel already."""

    def autograd(length: int) -> Derivation:
        return reverse(subject, setting, length, Reading())

    def best_checkpointing(length: int) -> Derivation:
        return checkpointed(subject, setting, length, spacing(length))

    def parallel(length: int) -> Derivation:
        return reverse(subject, setting, length, Reading(associative, piece=None))

    def parallel_checkpointed(length: int) -> Derivation:
        return reverse(subject, setting, length, Reading(associative, None, spacing(length)))

    def whole(length: int) -> Derivation:
        return forward(subject, setting, length, None)

    def tiled(length: int) -> Derivation:
        return forward(subject, setting, length, TILE)

    ways = {AUTOGRAD: autograd, CHECKPOINTING: best_checkpointing, FORWARD_MODE: whole, TORCH_FUNC: tiled}
    if subject.loops:
        ways |= {PARALLEL: parallel, PARALLEL_CHECKPOINTED: parallel_checkpointed}
    return [Contestant(name, way, rival=True) for name, way in ways.items()]


EXPERIMENT = Experiment(claim=CLAIM, run=run)
