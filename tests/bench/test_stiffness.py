"""``bench stiffness`` at tiny sizes: is the log-shift scan a scan, where does it break, and is a wrong one seen?"""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch.func import jvp

from pgf_cli.bench.baselines.log_shift import log_shift
from pgf_cli.bench.baselines.scan_errors import Problem, ScanRow, running_errors
from pgf_cli.bench.studies.stiffness import study as stiffness
from pgf_cli.bench.studies.stiffness.report import OURS, describe, summarise
from pgf_cli.bench.studies.stiffness.study import Workload
from pgf_cli.core.ops import frechet_scan
from pgf_cli.core.ops.frechet_scan import Scan

LENGTHS = (50, 170)
SHIFTED = "log-shift, tile 64"


@pytest.fixture
def tiny(quick, monkeypatch):
    monkeypatch.setitem(stiffness.EFFORTS, "quick", Workload((-8.0, 0.0, 2.0, 6.0), LENGTHS, 2, 8, (64,)))
    return quick


def double(scan):
    return Scan(*(part.double() for part in scan))


@pytest.mark.parametrize("tile", [1, 7, 64])
def test_the_log_shift_scan_is_the_definition_s_derivative_where_nothing_overflows(tile):
    problem = Problem(6, 3, (-8.0, -1.0), 0)
    primal, dot = map(double, problem.tile(0, 50, *problem.initial()))
    found = log_shift(tile, primal, dot)
    moving = ("step", "B", "C", "u", "h")

    def definition(*parts):
        return frechet_scan.reference.forward(primal._replace(**dict(zip(moving, parts, strict=True))))

    (y, h), (y_dot, h_dot) = jvp(
        definition,
        tuple(getattr(primal, name) for name in moving),
        tuple(getattr(dot, name)[0] for name in moving),
    )
    for part, exact in ((found.y[0], y), (found.y[1], y_dot), (found.h, h), (found.h_dot[0], h_dot)):
        torch.testing.assert_close(part, exact, rtol=1e-11, atol=1e-12)


def test_ours_is_exact_at_every_stiffness_and_log_shift_is_not_a_number_where_a_tile_decays_too_far(tiny):
    outcome = stiffness.run(tiny)
    assert {(row.seed, row.length) for row in outcome.rows} == {(seed, length) for seed in (0, 1) for length in LENGTHS}
    assert outcome.holds is True
    assert 0 < outcome.summary["ours_largest"] < 1e-6
    assert 0 < outcome.summary["log_shift_tile_64_largest"] < 2e-6
    # Softplus of about 0 is 0.7, so 64 steps of A = -e^2 take exp(-330), which float32 has no reciprocal of.
    assert outcome.summary["log_shift_tile_64_not_a_number_from"] == 2
    assert outcome.finding.endswith("NOT A NUMBER at A_log 2, 6")
    figure = Figure()
    outcome.draw(figure)
    assert f"{SHIFTED}: not a number" in figure.axes[0].get_legend_handles_labels()[1]


def test_errors_up_to_a_length_are_over_all_of_it_wherever_tiles_end():
    problem = Problem(5, 3, (-4.0, 0.0), 3)
    wrong_from = 20

    def wrong(primal, dot):
        found = frechet_scan.jvp(double(primal), double(dot))
        y = found.y.clone()
        y[1] *= (1 + 1e-3 * (torch.arange(len(y[1])) + wrong.first >= wrong_from).double())[:, None]
        wrong.first += len(y[1])
        return found._replace(y=y)

    wrong.first = 0
    short, long = (each["wrong"] for each in running_errors(problem, {"wrong": wrong}, (20, 40), 16))
    primal, dot = map(double, problem.tile(0, 40, *problem.initial()))
    exact = frechet_scan.reference.jvp(primal, dot).y[1].view(40, 2, 5).norm(dim=2)
    assert short.max() < 1e-13
    expected = 1e-3 * exact[wrong_from:].norm(dim=0) / exact.norm(dim=0)
    np.testing.assert_allclose(long, expected, rtol=1e-9)


def test_an_error_planted_in_our_tangent_at_one_stiffness_is_said_plainly(tiny, monkeypatch):
    right = frechet_scan.jvp

    def wrong(primal, dot):
        found = right(primal, dot)
        found.h_dot[:, 8:16] *= 1 + 1e-5
        return found

    monkeypatch.setattr(stiffness.frechet_scan, "jvp", wrong)
    monkeypatch.setitem(stiffness.EFFORTS, "quick", Workload((-8.0, -7.0, 0.0), (200, 300), 1, 8, (64,)))
    outcome = stiffness.run(tiny)
    assert outcome.holds is False
    assert "OVER 1e-06 at A_log -7" in outcome.finding.split(";")[0]


def test_a_nan_of_ours_does_not_hold_and_is_not_the_same_as_left_out():
    rows = [ScanRow(OURS, A_log, 0, length, 1e-7, "") for A_log in (-8.0, 6.0) for length in (1_000, 10_000)]
    assert describe(rows)[1] is True
    assert describe([*rows[:3], rows[3]._replace(error=None, note="left out")])[1] is True
    broken = [*rows[:3], rows[3]._replace(error=math.nan)]
    finding, holds = describe(broken)
    assert holds is False
    assert finding.endswith("NOT A NUMBER at A_log 6")
    assert summarise(broken)["ours_not_a_number_from"] == 6


def test_what_would_pass_the_time_limit_is_left_out_and_says_so(tiny, monkeypatch):
    monkeypatch.setitem(stiffness.EFFORTS, "quick", Workload((-1.0,), (20, 10**9), 1, 4, ()))
    outcome = stiffness.run(replace(tiny, seconds=20.0))
    first, left_out = outcome.rows
    assert first.error is not None
    assert left_out.error is None
    assert left_out.note.startswith("left out: would take about ")
