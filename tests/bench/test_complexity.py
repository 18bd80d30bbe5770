import time
from dataclasses import replace
from functools import partial

import pytest
import torch
from matplotlib.figure import Figure

from pgf_cli.bench.baselines.recurrent_learning import decay_gradient
from pgf_cli.bench.framework.timing import Watched
from pgf_cli.bench.studies.complexity import study as complexity
from pgf_cli.bench.studies.complexity.report import LEARNING, OURS, CostRow, describe, fits, summarise
from pgf_cli.bench.subjects.random_models import random_bases, random_frechet
from pgf_cli.core.one_hot import one_hot

AXES = ("state", "channels", "length", "directions", "layers")


def test_recurrent_learning_and_our_adjoint_give_the_gradient_of_autograd_in_float64():
    model, codes = random_frechet(6, 3, 0).double(), random_bases(40, 0)
    model.requires_grad_(True)
    x = one_hot(codes, torch.float64, model.device)
    model.forward(x, model.initial_state(x[: model.lookahead]))[0].sum().backward()
    torch.testing.assert_close(decay_gradient(model, codes), model.A_log.grad, rtol=1e-10, atol=0)
    torch.testing.assert_close(complexity.adjoint_gradient(model, 0, 40), model.A_log.grad, rtol=1e-10, atol=0)


def test_a_wrong_gradient_is_seen(monkeypatch):
    model = random_frechet(6, 3, 0)
    assert complexity.gradient_error(model, 0) < 1e-5
    found = complexity.adjoint_gradient
    monkeypatch.setattr(complexity, "adjoint_gradient", lambda *arguments: found(*arguments) * 1.01)
    assert complexity.gradient_error(model, 0) == pytest.approx(0.01, rel=1e-3)


def made_up(ours=1.0, learning=3.0, wobble=0.0, width=1.8):
    powers = {(OURS, "state"): ours, (LEARNING, "state"): learning, ("Mamba", "channels"): width}
    powers |= {("Mamba", axis): 1.0 for axis in AXES if axis != "channels"}
    return [
        CostRow(series, axis, value, turn, 1e-5 * value**power * (1 + wobble * (-1) ** (value + turn)), "")
        for (series, axis), power in powers.items()
        for value in (8, 16, 32, 64)
        for turn in (1, 2)
    ]


def verdict(rows, error=1e-7):
    return describe(rows, summarise(rows, error))


def test_exponents_are_those_of_the_times_and_a_square_in_width_is_no_failure():
    rows = made_up()
    said, holds = verdict(rows)
    assert holds is True
    assert {(fit.series, fit.axis): fit.exponent for fit in fits(rows)} == pytest.approx(
        {
            (OURS, "state"): 1,
            (LEARNING, "state"): 3,
            **{("Mamba", axis): 1 for axis in AXES},
            ("Mamba", "channels"): 1.8,
        }
    )
    assert all(fit.last_exponent == pytest.approx(fit.exponent) for fit in fits(rows))
    assert "to the power 3.00 (3.00 to 3.00; 3.00 between the last two) for dense RTRL" in said
    assert summarise(rows, 0.0)["dense_rtrl_over_adjoint"] == pytest.approx(64**2)


@pytest.mark.parametrize(
    ("rows", "error", "holds", "words"),
    [
        (made_up(ours=1.5), 1e-7, False, "ABOVE LINEAR: gradient of A_log, adjoint in state size N"),
        (made_up(wobble=0.7), 1e-7, None, "not told by this measurement"),
        (made_up(learning=1.0), 1e-7, None, "1.00 between the last two) for dense RTRL"),
        (made_up(), 1e-2, False, "NOT THE SAME GRADIENT"),
        (made_up(), float("nan"), False, "NOT THE SAME GRADIENT"),
    ],
)
def test_a_power_above_one_a_wide_interval_and_a_wrong_gradient_are_said(rows, error, holds, words):
    said, verdict_found = verdict(rows, error)
    assert verdict_found is holds
    assert words in said


def test_what_might_pass_the_time_limit_is_left_out_and_says_so(quick):
    def prepare(value):
        return partial(time.sleep, 0.01)

    rows = complexity.measure("slow", "state", (1, 2, 100), prepare, 2, replace(quick, seconds=1.0))
    assert sorted((row.value, row.run or 0) for row in rows) == [(1, 1), (1, 2), (2, 1), (2, 2), (100, 0)]
    assert next(row.note for row in rows if row.value == 100).startswith("left out: might take ")
    assert fits(rows)[0].last == 2


def test_every_family_is_timed_along_every_axis_it_has(quick, monkeypatch):
    values = {"state": (2, 4), "channels": (16, 32), "length": (32, 64), "directions": (1, 2), "layers": (1, 2)}
    monkeypatch.setitem(complexity.EFFORTS, "quick", (values, 1))
    monkeypatch.setattr(
        complexity, "interleaved", lambda works, repeats: {name: [Watched(1.0, None)] for name in works}
    )
    outcome = complexity.run(quick)
    found = {(row.series, row.axis) for row in outcome.rows}
    tangents = {(name, axis) for name in ("Frechet", "Mamba", "Mamba-2") for axis in AXES} - {("Frechet", "layers")}
    assert found == {(OURS, "state"), (LEARNING, "state")} | tangents
    assert outcome.summary["gradient_error"] < 1e-5
    figure = Figure()
    outcome.draw(figure)
    assert len(figure.axes) == 6
