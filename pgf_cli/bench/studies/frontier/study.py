"""Speed against memory on the paper's smallest model (its Figure 3): D 4, N 2, window 1.

How each way comes to the derivative, and which source is exact, see ``directional``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import sqrt

import torch

from pgf_cli.bench.baselines.directional import checkpointed, exact_derivative, forward, reverse, sweeps
from pgf_cli.bench.baselines.plain import AUTOGRAD, CHECKPOINTING, TORCH_FUNC
from pgf_cli.bench.baselines.plain_scans import associative
from pgf_cli.bench.baselines.torch_modes import Reading
from pgf_cli.bench.framework.contestants import Contestant, Derivation
from pgf_cli.bench.framework.experiment import Effort, Experiment, Outcome, Setting
from pgf_cli.bench.framework.length_series import measure_series
from pgf_cli.bench.studies.frontier.report import FrontierRow, describe, draw, frontier_rows, summarise, table
from pgf_cli.bench.subjects.layered import Subject
from pgf_cli.bench.subjects.random_models import random_bases
from pgf_cli.core.models import FrechetConfig, FrechetModel

CLAIM = "At every length our tangent is faster than autograd and than checkpointing, and takes no more memory."
CHANNELS, STATE, WINDOW = 4, 2, 1
TILE = 32
SEEDS = 3
BASES_A_SEGMENT = 100
"""Over which the paper takes the root for the number of its segments."""

SQUARE_ROOT, PARALLEL = "checkpointing, sqrt(L) segments", "parallel scan"


@dataclass(frozen=True)
class Workload:
    """How much an effort measures."""

    lengths: tuple[int, ...]
    seconds: float
    """That a single run may take unless told otherwise."""
    beyond: bool
    """Whether there are more rivals than the paper's."""


EFFORTS: dict[Effort, Workload] = {
    "quick": Workload((100, 500, 1000), 1.0, False),
    "published": Workload((100, 500, 1000, 5000, 10_000), 30.0, False),
    "extended": Workload((100, 500, 1000, 5000, 10_000, 50_000, 100_000), 300.0, True),
}


def run(setting: Setting) -> Outcome:
    """Measure."""
    effort = EFFORTS[setting.effort]
    rows = [row for turn in range(SEEDS) for row in measure_seed(effort, replace(setting, seed=setting.seed + turn))]
    summary = summarise(rows)
    finding, holds = describe(rows, summary)
    return Outcome(rows, finding, holds, summary, partial(draw, rows), table(rows))


def measure_seed(effort: Workload, setting: Setting, ours: Sequence[Contestant] | None = None) -> list[FrontierRow]:
    """Measure one random model on one random sequence; `ours` in place of the two sweeps."""
    subject = smallest(setting.seed)
    seconds = effort.seconds if setting.seconds is None else setting.seconds
    mine = sweeps(subject, setting.seed, TILE) if ours is None else ours
    contestants = [*mine, *_rivals(subject, setting, effort.beyond)]
    runs = measure_series(contestants, effort.lengths, 1, seconds, setting, f"{subject.words}, seed {setting.seed}")
    exact = {length: exact_derivative(subject, random_bases(length, setting.seed)) for length in effort.lengths}
    return frontier_rows(setting.seed, runs, exact)


def smallest(seed: int) -> Subject:
    """Return the paper's model; its embedding is the identity, so that the one-hot itself is the input."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = FrechetConfig(d_model=CHANNELS, d_state=STATE, window=WINDOW, embedded=True)
        model = FrechetModel(config).requires_grad_(False)
    model.embed.weight.copy_(torch.eye(CHANNELS))
    return Subject("frechet", f"Frechet operator, D {CHANNELS}, N {STATE}", model, CHANNELS, loops=True)


def segment_of(length: int) -> int:
    """Return bases in a segment where there are sqrt(L / 100) segments, at least one."""
    return -(-length // max(1, round(sqrt(length / BASES_A_SEGMENT))))


def _rivals(subject: Subject, setting: Setting, beyond: bool) -> list[Contestant]:
    def autograd(length: int) -> Derivation:
        return reverse(subject, setting, length, Reading())

    def segments(of: Callable[[int], int], length: int) -> Derivation:
        return checkpointed(subject, setting, length, of(length))

    def parallel(length: int) -> Derivation:
        return reverse(subject, setting, length, Reading(associative, piece=None))

    def tiled(length: int) -> Derivation:
        return forward(subject, setting, length, TILE)

    ways: dict[str, Callable[[int], Derivation]] = {AUTOGRAD: autograd, CHECKPOINTING: partial(segments, segment_of)}
    if beyond:
        ways |= {SQUARE_ROOT: partial(segments, _root), PARALLEL: parallel, TORCH_FUNC: tiled}
    return [Contestant(name, way, rival=True) for name, way in ways.items()]


def _root(length: int) -> int:
    return round(sqrt(length))


EXPERIMENT = Experiment(claim=CLAIM, run=run)
