"""``bench frontier`` on short sequences: a wrong derivative, a slow tangent and a large one must be said."""

import math
from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from pgf_cli.bench.baselines.directional import sweeps
from pgf_cli.bench.baselines.ours import ADJOINT, TANGENT
from pgf_cli.bench.framework.contestants import Contestant
from pgf_cli.bench.studies.frontier import study as frontier
from pgf_cli.bench.studies.frontier.report import FrontierRow, describe, summarise

EFFORT = frontier.Workload((30, 70), 60.0, True)


def verdict(rows):
    return describe(rows, summarise(rows))


def test_every_way_gives_the_exact_derivative_for_every_seed(quick, monkeypatch):
    monkeypatch.setitem(frontier.EFFORTS, "quick", EFFORT)
    outcome = frontier.run(quick)
    assert {(row.seed, row.length) for row in outcome.rows} == {(seed, n) for seed in range(3) for n in (30, 70)}
    assert len({row.contestant for row in outcome.rows}) == 7
    assert max(row.error for row in outcome.rows) < 1e-5
    figure = Figure()
    outcome.draw(figure)
    assert {axes.get_yscale() for axes in figure.axes} == {"log"}


def test_a_planted_error_in_a_derivative_is_seen(quick):
    tangent, adjoint = sweeps(frontier.smallest(0), 0, frontier.TILE)

    def wrong(length):
        return lambda: tangent.prepare(length)() * 1.001

    rows = frontier.measure_seed(replace(EFFORT, beyond=False), quick, [Contestant(TANGENT, wrong), adjoint])
    said, holds = verdict(rows)
    assert "THE DERIVATIVE IS WRONG" in said
    assert holds is False


def made_up(tangent_speed=1e5, tangent_peak=10**5, left_out=""):
    speeds = {TANGENT: tangent_speed, ADJOINT: 4e4, "autograd": 2e4, "checkpointing": 1e4}
    peaks = {TANGENT: tangent_peak, ADJOINT: 10**5, "autograd": 10**7, "checkpointing": 10**6}
    return [
        FrontierRow(name, n, seed, None, None, None, None, "left out: would take about 9 s")
        if name == left_out
        else FrontierRow(name, n, seed, n / speeds[name], speeds[name], peaks[name], 1e-7, "")
        for name in speeds
        for n in (100, 1000)
        for seed in range(3)
    ]


def test_the_tangent_must_lead_in_time_and_not_trail_in_memory():
    assert verdict(made_up())[1] is True
    said, holds = verdict(made_up(tangent_speed=1.5e4))
    assert (holds, "behind in time: autograd_over_tangent_at_100" in said) == (False, True)
    said, holds = verdict(made_up(tangent_peak=3 * 10**6))
    assert (holds, said.count("takes more memory: checkpointing_over_tangent_at_100")) == (False, 1)
    assert verdict(made_up(tangent_peak=1.4 * 10**6))[1] is True
    assert verdict(made_up(left_out="autograd"))[1] is None


def test_time_and_memory_are_compared_at_each_length():
    summary = summarise(made_up())
    assert summary["time_of_autograd_over_tangent_at_1000"] == pytest.approx(5)
    assert summary["mb_of_checkpointing_over_tangent_at_100"] == pytest.approx(0.9)
    assert not math.isnan(summary["largest_error"])


@pytest.mark.parametrize(("length", "segment"), [(100, 100), (500, 250), (1000, 334), (10_000, 1000)])
def test_segments_are_the_papers(length, segment):
    assert frontier.segment_of(length) == segment
