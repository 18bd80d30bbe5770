"""A.2: the tangent's error by number format, with the state kept in float32 and in the format itself.

float32 is our kernel; the halves are emulated (``rounded_scan``), inputs rounded to them included. The truth is the
complex step in float64 from the unrounded inputs (``definitions``).
"""

from functools import partial
from typing import NamedTuple

import torch

from pgf_cli.bench.baselines.rounded_scan import rounded
from pgf_cli.bench.baselines.scan_errors import Problem, ScanRow, Way, scan_errors
from pgf_cli.bench.framework.experiment import Effort, Experiment, Outcome, Setting
from pgf_cli.bench.studies.precision.report import FORMATS, describe, draw, summarise, table
from pgf_cli.core.ops import frechet_scan

CLAIM = "The tangent's error is that of the number format and does not grow with length."

STATE, TILE = 16, 128
A_LOGS = (-8.0, -4.0, 0.0)
"""States that last for thousands of bases, for dozens, and the paper's own for one or two."""


class Workload(NamedTuple):
    """How much an effort measures."""

    lengths: tuple[int, ...]
    """Ascending."""
    seeds: int
    channels: int


EFFORTS: dict[Effort, Workload] = {
    "quick": Workload((500, 1_000), 1, 64),
    "published": Workload((2_000, 4_000, 6_000, 8_000, 10_000), 3, 64),
    "extended": Workload((1_000, 10_000, 100_000, 1_000_000), 1, 16),
}


def run(setting: Setting) -> Outcome:
    """Measure."""
    lengths, seeds, channels = EFFORTS[setting.effort]
    ways: dict[str, Way] = {}
    for name, (numbers, state) in FORMATS.items():
        ways[name] = frechet_scan.jvp if numbers is torch.float32 else partial(rounded, numbers, state)
    rows: list[ScanRow] = []
    for seed in range(setting.seed, setting.seed + seeds):
        setting.progress.message(f"{len(ways)} formats, {len(A_LOGS)} stiffnesses, seed {seed}, {lengths[-1]:,} bases")
        rows += scan_errors(Problem(channels, STATE, A_LOGS, seed), ways, lengths, TILE, setting.seconds)
    summary = summarise(rows)
    finding, holds = describe(rows)
    return Outcome(rows, finding, holds, summary, partial(draw, rows), table(rows))


EXPERIMENT = Experiment(claim=CLAIM, run=run)
