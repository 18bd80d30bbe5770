"""A.1: the tangent's error over stiffness and length, with the scan of the paper's published code beside ours.

The truth is the complex step in float64 (``definitions``), which knows neither scan; all are given the same numbers
(``scan_errors``).
"""

from functools import partial
from typing import NamedTuple

from pgf_cli.bench.baselines.log_shift import log_shift
from pgf_cli.bench.baselines.scan_errors import Problem, ScanRow, Way, scan_errors
from pgf_cli.bench.framework.experiment import Effort, Experiment, Outcome, Setting
from pgf_cli.bench.studies.stiffness.report import OURS, THRESHOLD, describe, draw, summarise, table
from pgf_cli.core.ops import frechet_scan

CLAIM = f"In float32 the tangent is within {THRESHOLD:g} of the truth at every stiffness and every length."

STATE, TILE = 16, 128
_FROM, _TO, _COUNT = -8.0, -1.0, 15
PUBLISHED_A_LOGS = tuple(_FROM + (_TO - _FROM) * index / (_COUNT - 1) for index in range(_COUNT))


class Workload(NamedTuple):
    """How much an effort measures."""

    A_logs: tuple[float, ...]
    lengths: tuple[int, ...]
    """Ascending."""
    seeds: int
    channels: int
    tiles: tuple[int, ...]
    """Of the log-shift scan."""


EFFORTS: dict[Effort, Workload] = {
    "quick": Workload(PUBLISHED_A_LOGS[::7], (500, 1_000), 1, 64, (128,)),
    "published": Workload(PUBLISHED_A_LOGS, (1_000, 2_000, 5_000, 10_000), 5, 64, (128,)),
    "extended": Workload(tuple(map(float, range(-8, 7))), (1_000, 10_000, 100_000, 1_000_000), 1, 16, (64, 128)),
}


def run(setting: Setting) -> Outcome:
    """Measure."""
    A_logs, lengths, seeds, channels, tiles = EFFORTS[setting.effort]
    ways: dict[str, Way] = {OURS: frechet_scan.jvp}
    ways |= {f"log-shift, tile {tile}": partial(log_shift, tile) for tile in tiles}
    rows: list[ScanRow] = []
    for seed in range(setting.seed, setting.seed + seeds):
        setting.progress.message(f"{len(A_logs)} stiffnesses, {len(ways)} scans, seed {seed}, {lengths[-1]:,} bases")
        rows += scan_errors(Problem(channels, STATE, A_logs, seed), ways, lengths, TILE, setting.seconds)
    summary = summarise(rows)
    finding, holds = describe(rows)
    return Outcome(rows, finding, holds, summary, partial(draw, rows), table(rows))


EXPERIMENT = Experiment(claim=CLAIM, run=run)
