import math
from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from pgf_cli.bench.studies.length import study as length
from pgf_cli.bench.studies.length.report import LengthRow, describe, summarise, table
from pgf_cli.bench.subjects.random_models import random_bases
from pgf_cli.bench.subjects.sizes import Sizes

SIZES = Sizes(layers=1, channels=8, state=2)
SERIES = ("tangent", "tangent of one pulse", "adjoint", "adjoint of one target")
LENGTHS = (10_000, 100_000, 1_000_000)


def made_up(seconds, memory=lambda n: 5e6, extra=lambda n: 0.0):
    return [
        LengthRow(name, n, turn, seconds(n), 1e6 * seconds(n) / n, round(memory(n)), extra(n), "")
        for name in SERIES
        for n in LENGTHS
        for turn in (1, 2)
    ]


def verdict(rows):
    return describe("toy", rows, summarise(rows))


def test_linear_time_in_flat_memory_holds_with_slope_one():
    rows = made_up(lambda n: 1e-5 * n)
    said, holds = verdict(rows)
    assert holds is True
    assert summarise(rows)["adjoint_slope"] == pytest.approx(1)
    assert "to the power 1.000 (95% interval 1.000 to 1.000) for the tangent" in said


def test_time_that_grows_faster_than_length_is_found():
    rows = made_up(lambda n: 1e-5 * n**1.1)
    said, holds = verdict(rows)
    assert holds is False
    assert summarise(rows)["tangent_slope"] == pytest.approx(1.1)
    assert "differs by at most 26%" in said


def test_a_leak_is_found():
    said, holds = verdict(made_up(lambda n: 1e-5 * n, memory=lambda n: 5e6 + 8 * n))
    assert holds is False
    assert "peak memory grows by 7.2 MB" in said


def test_time_per_base_is_compared_within_a_snapshot_regime_only():
    rows = made_up(lambda n: 1e-5 * n * (1.3 if n == 1_000_000 else 1), extra=lambda n: 0.9 if n == 1_000_000 else 0.0)
    assert verdict(rows)[1] is True
    assert [each.relative for each in table(rows)[:3]] == pytest.approx([1, 1, 1])


def test_a_slow_pulse_is_told_against_the_whole_sweep():
    rows = [row for row in made_up(lambda n: 1e-5 * n) if row.series != "tangent of one pulse"]
    slow = [row for row in made_up(lambda n: 3e-5 * n) if row.series == "tangent of one pulse"]
    assert summarise(rows + slow)["tangent_of_one_pulse_over_tangent"] == pytest.approx(3)


def test_sweeps_are_measured_at_every_length_and_the_adjoint_says_its_regime(quick, monkeypatch):
    monkeypatch.setitem(length.LENGTHS, "quick", (600, 1200, 30_000))
    monkeypatch.setattr(length, "REPEATS", 1)
    monkeypatch.setattr(length, "SNAPSHOT_BUDGET", 8 * 4 * 8 * 10)
    outcome = length.run(quick, SIZES)
    assert {(row.series, row.length) for row in outcome.rows} == {
        (name, each) for name in SERIES for each in (600, 1200, 30_000)
    }
    extra = {row.length: row.extra_sweeps for row in outcome.table if row.series == "adjoint"}
    assert extra[600] == 0
    assert extra[30_000] > 0.5
    figure = Figure()
    outcome.draw(figure)
    assert {axes.get_xscale() for axes in figure.axes} == {"log"}
    assert outcome.holds is None


def test_what_would_pass_the_time_limit_is_left_out_and_says_so(quick, monkeypatch):
    monkeypatch.setitem(length.LENGTHS, "quick", (600, 10**9))
    codes = random_bases(1200, 0)
    monkeypatch.setattr(length, "random_bases", lambda longest, seed: codes)
    outcome = length.run(replace(quick, seconds=1.0), SIZES)
    left_out = [row for row in outcome.table if row.length == 10**9]
    assert [row.microseconds_per_base for row in left_out] == [None] * 4
    assert all(row.note.startswith("left out: would take about ") for row in left_out)
    assert math.isnan(outcome.summary["tangent_departure"])
