import gc
from functools import partial

import pytest
import torch
from matplotlib.figure import Figure
from torch.nn import functional

from pgf_cli.bench.baselines.layer_training import checkpointed_gradients, tiled_gradients
from pgf_cli.bench.studies.training import study as training
from pgf_cli.bench.studies.training.report import AUTOGRAD, EXACT, OURS, StepRow, describe, summarise, table


@pytest.fixture(autouse=True)
def _libraries_are_not_searched_for_garbage_before_each_run():
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def task():
    return training.make_task(6, 3, 70, 0)


def test_the_layer_is_the_papers_with_a_linear_output(task):
    # One step from a zero state, by hand.
    layer, u = task.layer.double(), task.u.double()
    y, h = layer(u[:1], u.new_zeros(6, 3))
    delta = functional.softplus(layer.dt_proj(u[0]))[:, None]
    by_hand = (1 - torch.exp(-delta)) / delta * layer.B_proj(u[0]) * u[0, :, None]
    torch.testing.assert_close(h, by_hand.expand(6, 3), rtol=1e-12, atol=0)
    torch.testing.assert_close(y[0], 2 * (by_hand @ layer.C_proj(u[0]) + u[0]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("tile", [1, 31, 35, 69, 70, 100])
def test_tiled_gradients_are_those_of_autograd_wherever_tiles_end(task, tile):
    assert training.gradient_error(partial(tiled_gradients, tile=tile), task) < 1e-5


def test_checkpointed_gradients_are_those_of_autograd(task):
    assert training.gradient_error(partial(checkpointed_gradients, segment=8), task) < 1e-5


def test_a_gradient_of_which_one_parameters_part_is_wrong_is_seen(task):
    def planted(layer, u, target):
        loss = tiled_gradients(layer, u, target, 32)
        layer.A_log.grad *= 1.01
        return loss

    assert training.gradient_error(planted, task) == pytest.approx(0.01, rel=1e-3)


def test_an_adjoint_that_stops_at_tile_edges_is_seen(task):
    def truncated(layer, u, target):
        layer.zero_grad()
        h, loss = u.new_zeros(6, 3), 0.0
        for part, wanted in zip(torch.split(u, 35), torch.split(target, 35), strict=True):
            y, h = layer(part, h.detach())
            loss = loss + (y - wanted).square().sum() / target.numel()
        loss.backward()
        return loss.item()

    assert training.gradient_error(truncated, task) > 1e-4


def test_a_fit_makes_the_steps_of_adam(task):
    losses = []
    training.fit(partial(tiled_gradients, tile=32), task, 3, losses)
    exact = training.as_double(task)
    optimiser = torch.optim.Adam(exact.layer.parameters(), lr=1e-4)
    for loss in losses:
        optimiser.zero_grad()
        wanted = functional.mse_loss(exact.layer(exact.u, exact.u.new_zeros(6, 3))[0], exact.target)
        assert loss == pytest.approx(wanted.item(), rel=1e-5)
        wanted.backward()
        optimiser.step()
    assert losses[2] < losses[0]


def test_every_step_of_every_fit_is_a_row_and_the_figure_can_be_drawn(quick, monkeypatch):
    monkeypatch.setattr(training, "CHANNELS", 6)
    monkeypatch.setattr(training, "STATE", 3)
    monkeypatch.setattr(training, "TILE", 16)
    monkeypatch.setitem(training.EFFORTS, "quick", training.Workload((30, 50), (2, 3), True))
    outcome = training.run(quick)
    assert {(row.method, row.length, row.step) for row in outcome.rows} == {
        (name, length, step)
        for name in (OURS, AUTOGRAD, EXACT, "checkpointing")
        for length in (30, 50)
        for step in (1, 2, 3)
    }
    assert outcome.finding.startswith("the same training")
    figure = Figure()
    outcome.draw(figure)
    assert figure.axes[1].get_xscale() == "log"


def made_up(our_loss=1.0, our_error=1e-7, our_peak=10**6):
    figures = {EXACT: (1.0, 0.0, 10**8), OURS: (our_loss, our_error, our_peak), AUTOGRAD: (1.0, 1e-7, 10**7)}
    return [
        StepRow(method, length, step, (loss if step == 2 else 1.0) / step, 0.1, peak * length // 128, error)
        for method, (loss, error, peak) in figures.items()
        for length in (128, 256)
        for step in (1, 2)
    ]


def verdict(**changed):
    rows = made_up(**changed)
    return describe(rows, summarise(rows))


def test_the_same_curve_in_less_memory_holds():
    said, holds = verdict()
    assert holds is True
    assert "at L 256 autograd takes 10 times the memory and 1 times the time" in said
    assert "a position adds 7,812 bytes to ours" in said
    assert [row.last_loss for row in table(made_up())] == [0.5] * 6


@pytest.mark.parametrize(
    "changed",
    [
        {"our_loss": 1.0001},
        {"our_loss": float("nan")},
        {"our_error": 1e-3},
        {"our_error": float("nan")},
        {"our_peak": 10**7},
    ],
)
def test_another_curve_wrong_gradients_or_as_much_memory_do_not_hold(changed):
    assert verdict(**changed)[1] is False
