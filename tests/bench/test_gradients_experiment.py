"""``bench gradients`` on tiny models: a leak and a wrong gradient must be said."""

from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from pgf_cli.bench.baselines.ours import ADJOINT
from pgf_cli.bench.framework.contestants import Contestant
from pgf_cli.bench.studies.gradients import study as gradients
from pgf_cli.bench.studies.gradients.report import describe, summarise
from pgf_cli.bench.studies.length_series_report import SeriesRow
from pgf_cli.bench.subjects.layered import frechet
from pgf_cli.bench.subjects.sizes import Sizes

SUBJECT = frechet(8, 4, 0)
EFFORT = gradients.Workload((64, 128, 512), 1, 60.0, 64, Sizes(1, 8, 2))


def verdict(rows):
    return describe([SUBJECT], rows, summarise([SUBJECT], rows))


def test_the_gradients_of_every_family_are_those_of_float64(quick, monkeypatch):
    monkeypatch.setitem(gradients.EFFORTS, "quick", replace(EFFORT, lengths=(33, 65), exact_up_to=65))
    monkeypatch.setattr(gradients, "CHANNELS", 8)
    outcome = gradients.run(quick)
    assert len({row.subject for row in outcome.rows}) == 3
    assert {row.contestant for row in outcome.rows if "bases a" not in row.contestant} == {
        "adjoint",
        "autograd",
        "checkpointing",
    }
    assert max(row.error for row in outcome.rows) < 1e-5
    assert outcome.holds is None
    figure = Figure()
    outcome.draw(figure)
    assert figure.axes[0].get_ylabel() == "peak memory (MB above what was resident)"


def test_a_planted_leak_and_a_planted_error_are_seen(quick, monkeypatch):
    monkeypatch.setattr(gradients, "_rivals", lambda *_: [])
    sweep = gradients.sweep(SUBJECT, 0)

    def leaking(length):
        kept = []

        def work():
            kept.append(bytearray(b"x" * (length * 20_000)))
            return sweep.prepare(length)() * 1.001

        return work

    said, holds = verdict(gradients.measure_subject(SUBJECT, EFFORT, quick, [Contestant(ADJOINT, leaking)]))
    assert holds is False
    assert "OUR PEAKS ARE NOT FLAT" in said
    assert "within 1e-03 of float64" in said
    assert "THE GRADIENTS ARE WRONG" in said


@pytest.mark.parametrize(
    ("ours", "autograd", "longest", "expected"),
    [
        (0, 10_000, 10_000, True),
        (1000, 10_000, 10_000, False),
        (0, 0, 10_000, False),
        (0, 0, 1000, None),
    ],
)
def test_the_claim_is_flat_against_linear(ours, autograd, longest, expected):
    growths = {ADJOINT: ours, "autograd": autograd, "checkpointing": 100}
    rows = [
        SeriesRow(SUBJECT.words, name, n, 1, 1e-5 * n, 10.0, 10**6 + n * growths[name], 1e-7, "")
        for name in growths
        for n in (longest // 10, longest // 2, longest)
    ]
    assert verdict(rows)[1] is expected
