"""``bench scaling`` on tiny models: a leak, a wrong derivative and a poor ratio must be said."""

from dataclasses import replace

import pytest
import torch
from matplotlib.figure import Figure

from pgf_cli.bench.baselines.directional import exact_derivative, sweeps
from pgf_cli.bench.baselines.ours import ADJOINT, TANGENT
from pgf_cli.bench.framework.contestants import Contestant
from pgf_cli.bench.studies.length_series_report import SeriesRow
from pgf_cli.bench.studies.scaling import study as scaling
from pgf_cli.bench.studies.scaling.report import describe, summarise
from pgf_cli.bench.subjects.layered import frechet, mamba, mamba2
from pgf_cli.bench.subjects.random_models import random_bases
from pgf_cli.bench.subjects.sizes import Sizes
from pgf_cli.core.directions import Contrast
from pgf_cli.core.sweeps import tangent_sweep

SUBJECT = frechet(32, 4, 0)
EFFORT = scaling.Workload((64, 128, 1024), 1, 60.0, 64, Sizes(1, 8, 2))


@pytest.fixture
def alone(monkeypatch):
    """No rivals."""
    monkeypatch.setattr(scaling, "rivals", lambda *_: [])


def verdict(rows, subjects=(SUBJECT,)):
    return describe(subjects, rows, summarise(subjects, rows))


def test_every_way_is_measured_in_every_family_and_gives_the_exact_derivative(quick, monkeypatch):
    monkeypatch.setitem(scaling.EFFORTS, "quick", replace(EFFORT, lengths=(33, 65), exact_up_to=65))
    monkeypatch.setattr(scaling, "CHANNELS", 8)
    outcome = scaling.run(quick)
    assert len({row.contestant for row in outcome.rows if "Mamba" not in row.subject}) == 8 + 4
    assert len({row.contestant for row in outcome.rows if "Mamba-2" in row.subject}) == 6 + 4
    assert max(row.error for row in outcome.rows) < 1e-5
    assert 0 < outcome.summary["largest_error"] < 1e-5
    assert outcome.holds is None
    figure = Figure()
    outcome.draw(figure)
    assert [axes.get_xlabel() for axes in figure.axes][3:] == ["length (bases)"] * 3


@pytest.mark.parametrize(
    "make", [lambda: frechet(6, 3, 1), lambda: mamba(Sizes(2, 8, 3), 1), lambda: mamba2(Sizes(1, 8, 3), 1)]
)
def test_both_sweeps_give_the_exact_number_in_float64(make):
    subject = make()
    subject.model.double()
    exact = exact_derivative(subject, random_bases(130, 1))
    for sweep in sweeps(subject, 1, 32):
        torch.testing.assert_close(sweep.prepare(130)(), exact, rtol=1e-10, atol=0)


def test_a_planted_leak_is_seen(quick, alone):
    def leaking(length):
        codes, kept = random_bases(length, 0), []

        def work():
            for part in tangent_sweep(SUBJECT.model, codes, Contrast(), end=length, tile=64):
                kept.append(part.y_dot.repeat(1, 1, 64))
            return sum(each.double().sum() for each in kept) / 64

        return work

    tangent, adjoint = sweeps(SUBJECT, 0, 64)
    rows = scaling.measure_subject(SUBJECT, EFFORT, quick, [tangent, adjoint])
    assert "NOT FLAT" not in verdict(rows)[0]
    rows = scaling.measure_subject(SUBJECT, EFFORT, quick, [Contestant(TANGENT, leaking), adjoint])
    said, holds = verdict(rows)
    assert "THEY ARE NOT FLAT" in said
    assert holds is False


def test_a_planted_error_in_a_derivative_is_seen(quick, alone):
    tangent, adjoint = sweeps(SUBJECT, 0, 64)

    def wrong(length):
        return lambda: tangent.prepare(length)() * 1.001

    rows = scaling.measure_subject(SUBJECT, EFFORT, quick, [Contestant(TANGENT, wrong), adjoint])
    said, holds = verdict(rows)
    assert "within 1e-03 of float64; THE DERIVATIVE IS WRONG" in said
    assert holds is False


def made_up(autograd_pace, autograd_bytes_a_base, length=10_000):
    paces = {TANGENT: 10.0, ADJOINT: 30.0, "autograd": autograd_pace, "checkpointing": 400.0}
    peaks = {TANGENT: 0, ADJOINT: 0, "autograd": autograd_bytes_a_base, "checkpointing": 100}
    return [
        SeriesRow(SUBJECT.words, name, n, 1, 1e-6 * n * paces[name], paces[name], 10**7 + n * peaks[name], 1e-7, "")
        for name in paces
        for n in (length // 10, length // 2, length)
    ]


def test_the_papers_figures_hold_only_if_reached_where_they_are_claimed():
    assert verdict(made_up(230, 100_000))[1] is True
    said, holds = verdict(made_up(220, 100_000))
    assert (holds, "claimed and missed: 23 times autograd's speed" in said) == (False, True)
    said, holds = verdict(made_up(230, 10_000))
    assert (holds, "claimed and missed: 94% less memory" in said) == (False, True)
    assert verdict(made_up(100, 100_000, length=5000))[1] is None


def test_ratios_are_of_time_per_base_and_of_peaks_at_the_longest_common_length():
    summary = summarise([SUBJECT], made_up(230, 100_000))
    assert summary["frechet_autograd_time_over_tangent"] == pytest.approx(23)
    assert summary["frechet_autograd_time_over_adjoint"] == pytest.approx(230 / 30)
    assert summary["frechet_autograd_memory_of_tangent"] == pytest.approx(1e7 / 1.01e9)
    assert summary["frechet_autograd_memory_exponent"] == pytest.approx(0.98, abs=0.02)
