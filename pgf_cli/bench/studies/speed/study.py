"""Bases per second and memory of our sweeps, beside the arithmetic bound and beside other ways to the same derivative.

Groups, each run in turn within one process: ours, the bound and mambapy on long sequences; the peers that only short
ones can be asked of; the paper's Frechet operator against autograd of a plain loop; Mamba-2 against transformers', for
its speed and, on a longer sequence, for its memory.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from pgf_cli.bench.baselines.ours import sweeps
from pgf_cli.bench.baselines.plain import plain, plain_frechet
from pgf_cli.bench.baselines.products import bounds
from pgf_cli.bench.baselines.transformers_peer import (
    MAMBA2_FORWARD,
    MAMBA2_LONG,
    MAMBA2_REVERSE,
    MAMBAPY,
    MAMBAPY_FORWARD,
    Peer,
)
from pgf_cli.bench.framework.contestants import Contestant, measure
from pgf_cli.bench.framework.experiment import Effort, Experiment, Outcome, Setting
from pgf_cli.bench.studies.speed.report import Group, draw, findings, run_rows, summarise, table
from pgf_cli.bench.subjects.random_models import (
    PUBLISHED_HEAD_CHANNELS,
    random_frechet,
    random_mamba,
    random_mamba2,
)
from pgf_cli.bench.subjects.sizes import SPEED, SPEED_MAMBA2, Sizes
from pgf_cli.core.models import Mamba2LM, MambaLM
from pgf_cli.core.objectives import LogLikelihood, SumOutputs
from pgf_cli.core.tiles import default_tile

CLAIM = (
    "The tangent takes at most 2.5 times its matrix products, and tangent and adjoint are 5 to 100 times faster than "
    "transformers, mambapy, torch.compile and plain autograd at the same derivative."
)
"""40% of the bound is 2.5 times its time."""

FRECHET_CHANNELS, FRECHET_STATE = 256, 16
DIRECTIONS = (1, 4, 8)


class Workload(NamedTuple):
    """How much an effort measures."""

    repeats: int
    seconds: float
    """That a single run may take unless told otherwise."""
    lengths: tuple[int, int, int, int, int]
    """Of the groups."""
    compiled: bool
    """Whether torch.compile, which takes minutes, is among the peers."""


EFFORTS: dict[Effort, Workload] = {
    "quick": Workload(1, 1.0, (2048, 512, 1024, 256, 512), False),
    "published": Workload(5, 30.0, (16384, 4096, 10000, 4096, 16384), True),
    "extended": Workload(11, 600.0, (65536, 4096, 10000, 4096, 16384), True),
}


@dataclass(frozen=True)
class Wanted:
    """What to measure other than the published sizes."""

    sizes: Sizes = SPEED
    mamba2: Sizes = SPEED_MAMBA2
    length: int | None = None
    """Of every sequence; None: as the effort has it."""


NOTHING_ELSE = Wanted()


def run(setting: Setting, wanted: Wanted = NOTHING_ELSE) -> Outcome:
    """Measure."""
    effort = EFFORTS[setting.effort]
    limit = effort.seconds if setting.seconds is None else setting.seconds
    model = random_mamba(wanted.sizes, setting.seed)
    mamba2 = random_mamba2(wanted.mamba2, setting.seed, min(PUBLISHED_HEAD_CHANNELS, 2 * wanted.mamba2.channels))
    makers: list[tuple[str, str, Callable[[], list[Contestant]]]] = [
        ("long", str(wanted.sizes), partial(_long, model, setting)),
        ("short", str(wanted.sizes), partial(_short, model, setting, effort.compiled)),
        ("frechet", f"Frechet operator, D {FRECHET_CHANNELS}, N {FRECHET_STATE}", partial(_frechet, setting)),
        ("mamba2", wanted.mamba2.of_mamba2, partial(_mamba2, mamba2, setting)),
        ("mamba2 long", wanted.mamba2.of_mamba2, partial(_mamba2_adjoints, mamba2, setting)),
    ]
    groups = []
    for (name, subject, make), length in zip(makers, effort.lengths, strict=True):
        setting.progress.message(f"{subject}, {wanted.length or length:,} bases")
        found = measure(make(), wanted.length or length, effort.repeats, limit, setting.progress)
        groups.append(Group(name, subject, {each.name: each for each in found}))
    summary = summarise(groups)
    finding, holds = findings(groups, summary)
    return Outcome(
        rows=run_rows(groups),
        finding=finding,
        holds=holds,
        summary=summary,
        draw=partial(draw, groups),
        table=table(groups),
    )


def _long(model: MambaLM, setting: Setting) -> list[Contestant]:
    return [
        *_ours(model, setting, DIRECTIONS),
        *bounds(model, default_tile(model, 1), (0, *DIRECTIONS), setting.threads),
        Peer(model, setting.seed, setting.threads).reverse_mode(MAMBAPY, mambapy=True),
    ]


def _short(model: MambaLM, setting: Setting, compiled: bool) -> list[Contestant]:
    peer = Peer(model, setting.seed, setting.threads)
    objective = partial(LogLikelihood, None, model.dtype, model.device)
    return [
        *_ours(model, setting, (1,)),
        *plain(model, objective, setting.seed, default_tile(model, 1), setting.threads),
        peer.forward_mode(),
        peer.forward_mode(MAMBAPY_FORWARD, mambapy=True),
        peer.reverse_mode(),
        *([peer.compiled()] if compiled else []),
    ]


def _mamba2(model: Mamba2LM, setting: Setting) -> list[Contestant]:
    peer = Peer(model, setting.seed, setting.threads)
    return [*_ours(model, setting, (1,)), peer.forward_mode(MAMBA2_FORWARD), peer.reverse_mode(MAMBA2_REVERSE)]


def _mamba2_adjoints(model: Mamba2LM, setting: Setting) -> list[Contestant]:
    peer = Peer(model, setting.seed, setting.threads)
    return [*_ours(model, setting, ()), peer.reverse_mode(MAMBA2_LONG)]


def _ours(model: MambaLM | Mamba2LM, setting: Setting, directions: tuple[int, ...]) -> list[Contestant]:
    objective = partial(LogLikelihood, None, model.dtype, model.device)
    return sweeps(model, objective, setting.seed, default_tile(model, 1), directions)


def _frechet(setting: Setting) -> list[Contestant]:
    model = random_frechet(FRECHET_CHANNELS, FRECHET_STATE, setting.seed)
    objective = partial(SumOutputs, None, FRECHET_CHANNELS, model.dtype, model.device)
    return [
        *sweeps(model, objective, setting.seed, default_tile(model, 1), (1,)),
        plain_frechet(model, setting.seed, setting.threads),
    ]


EXPERIMENT = Experiment(claim=CLAIM, run=run)
