import pytest
import torch
from matplotlib.figure import Figure

from pgf_cli.bench.studies.long import study as long
from pgf_cli.bench.studies.long.report import WindowRow, describe, summarise
from pgf_cli.bench.subjects.dense_operator import DenseOperator, dense_operator
from pgf_cli.bench.subjects.random_models import random_bases, random_mamba
from pgf_cli.bench.subjects.sizes import Sizes


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for name, value in {"CHANNELS": 8, "STATE": 3, "WINDOW": 128, "TILE": 64, "OTHER_TILE": 50, "CHECKED": 100}.items():
        monkeypatch.setattr(long, name, value)
    monkeypatch.setitem(long.EFFORTS, "quick", long.Workload(512, 300, 2))


@pytest.mark.parametrize("sequence", ["noise", "bases"])
def test_every_whole_window_is_exact_by_an_independent_source(sequence):
    if sequence == "noise":
        subject = long.noise_subject(dense_operator(8, 3, 0.0, 0), 512, 0)
    else:
        subject = long.sample_subject(random_mamba(Sizes(1, 8, 3), 0), random_bases(550, 0))
    exact = subject.definition(subject.length)
    rows = list(long.windows(subject, exact, 1))
    assert [(row.window, row.start) for row in rows] == [(1, 0), (2, 128), (3, 256), (4, 384)]
    assert max(row.error for row in rows) < 1e-5
    torch.testing.assert_close(torch.cat([*subject.exact()]), exact, rtol=1e-9, atol=1e-12)
    assert rows[1].response == pytest.approx(float(exact[128:256].norm(dim=-1).mean()), rel=1e-5)


def test_a_state_that_is_lost_between_tiles_is_seen(monkeypatch):
    subject = long.noise_subject(dense_operator(8, 3, 0.0, 0), 512, 0)
    exact = torch.cat([*subject.exact()])
    whole = DenseOperator.jvp

    def forgetful(self, x, x_dot, state, state_dot):
        return whole(self, x, x_dot, torch.zeros_like(state), torch.zeros_like(state_dot))

    monkeypatch.setattr(DenseOperator, "jvp", forgetful)
    assert min(row.error for row in long.windows(subject, exact, 1)) > 1e-4
    assert long.definition_error(subject) > 1e-4


def test_the_quick_effort_gives_a_row_for_every_window_of_every_run_and_a_figure(quick):
    outcome = long.run(quick)
    assert [(row.run, row.window) for row in outcome.rows] == [
        *((turn, window) for turn in (1, 2) for window in (1, 2, 3, 4)),
        *((turn, window) for turn in (1, 2) for window in (1, 2)),
    ]
    assert max(row.definition_error for row in outcome.rows) < 1e-5
    figure = Figure()
    outcome.draw(figure)
    assert len(figure.axes) == 4


def made_up(seconds=lambda window: 1.0, peak=lambda window: 10**7, error=lambda window: 1e-7, definition=1e-7):
    return [
        WindowRow("Frechet", window, window, 1, seconds(window), 1.0, peak(window), 0.5, error(window), definition)
        for window in range(1, 9)
    ]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (made_up(seconds=lambda window: 1 + 0.1 * window), "the later half +65% beside a first one"),
        (made_up(peak=lambda window: 10**7 + 10**6 * window), "growing by +7.0 MB"),
        (made_up(error=lambda window: 1e-5 * window**2), "NOT EXACT"),
        (made_up(error=lambda window: float("nan") if window == 5 else 0.0), "NOT EXACT"),
        (made_up(definition=1e-3), "NOT EXACT"),
    ],
)
def test_windows_that_grow_slower_larger_or_inexact_do_not_hold(rows, words):
    said, holds = describe(rows, summarise(rows))
    assert holds is False
    assert words in said


def test_windows_that_cost_the_same_hold():
    assert describe(made_up(), summarise(made_up()))[1] is True
