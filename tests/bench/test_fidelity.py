"""``bench fidelity`` at tiny sizes: is its truth the truth, and does it see a derivative that is wrong?"""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch.func import jvp

from pgf_cli.bench.baselines.definitions import complex_step, definition
from pgf_cli.bench.studies.fidelity import study as fidelity
from pgf_cli.bench.studies.fidelity.report import DIFFERENCE, TANGENT, FidelityRow, describe, summarise, table
from pgf_cli.bench.studies.fidelity.study import Workload
from pgf_cli.bench.subjects.families import FAMILIES, with_stiffness

LENGTHS = (10, 67)


@pytest.fixture
def tiny(quick, monkeypatch):
    monkeypatch.setitem(fidelity.EFFORTS, "quick", Workload((-8.0, 2.0), LENGTHS))
    monkeypatch.setattr(fidelity, "STEPS", (1e-2, 1e-4, 1e-5, 1e-7))
    monkeypatch.setattr(fidelity, "DIFFERENCED", 20)
    return quick


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize("A_log", [-8.0, 3.0])
@pytest.mark.parametrize("length", [2, 37])
def test_definitions_compute_the_models_and_the_complex_step_is_torch_s_own_derivative(family, A_log, length):
    model = with_stiffness(family.make(1), A_log).double()
    x, v = fidelity._input(length, 0)
    padded, padded_dot = (torch.from_numpy(np.pad(part, ((0, 0), (0, 1)))) for part in (x, v))

    def output(x):
        return model(x, model.initial_state(x[: model.lookahead]))[0]

    y, y_dot = jvp(output, (padded,), (padded_dot,))
    np.testing.assert_allclose(definition(model)(x), y, rtol=1e-12, atol=1e-13)
    found = complex_step(definition(model), x, v)
    np.testing.assert_allclose(found, y_dot, rtol=1e-11, atol=1e-12 * float(y_dot.abs().max()))


def test_every_family_is_exact_and_a_difference_is_worse_with_a_step_too_small_or_too_large(tiny):
    outcome = fidelity.run(tiny)
    measured = {(row.family, row.dtype, row.A_log, row.length) for row in outcome.rows if row.A_log is not None}
    assert len(measured) == len(FAMILIES) * 2 * 2 * len(LENGTHS)
    for family in ("frechet", "mamba", "mamba2"):
        assert 0 < outcome.summary[f"{family}_float32_largest"] < 1e-5
        assert 0 < outcome.summary[f"{family}_float64_largest"] < 1e-13
        assert outcome.summary[f"{family}_float64_best_step"] == 1e-5
        assert outcome.summary[f"{family}_float32_best_step"] == 1e-2
        assert 1e-8 < outcome.summary[f"{family}_float32_moved_by_a_rounding"] < 1e-6
    errors = [row.error for row in outcome.rows if (row.family, row.way, row.dtype) == ("Mamba", DIFFERENCE, "float64")]
    # The remainder of a central difference falls with the square of the step, the rounding grows as the step falls.
    assert errors[0] / errors[1] == pytest.approx(1e4, rel=0.05)
    assert errors[3] > 10 * errors[2]
    figure = Figure()
    outcome.draw(figure)
    assert figure.axes[0].get_xlabel() == "length (bases)"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_derivative_that_is_wrong_by_a_ten_thousandth_at_one_stiffness_is_said_plainly(tiny, monkeypatch, family):
    kind = type(family.make(0))
    right = kind.jvp

    def wrong(self, *arguments):
        dual = right(self, *arguments)
        stiff = next(weight for name, weight in self.named_parameters() if name.endswith("A_log")).flatten()[0] == 2
        return dual._replace(y_dot=dual.y_dot * (1 + 1e-4 * stiff))

    monkeypatch.setattr(kind, "jvp", wrong)
    monkeypatch.setattr(fidelity, "FAMILIES", (family,))
    outcome = fidelity.run(tiny)
    assert outcome.holds is False
    assert outcome.finding.startswith("NOT EXACT")
    assert {row.A_log for row in outcome.table if row.error_longest > 1e-5} == {2.0}


def made_up(error):
    surface = [
        FidelityRow("Mamba", TANGENT, dtype, A_log, length, None, error(A_log, length) * scale, "")
        for dtype, scale in (("float32", 1.0), ("float64", 1e-9))
        for A_log in (-8.0, 6.0)
        for length in (100, 10_000)
    ]
    own = [FidelityRow("Mamba", TANGENT, dtype, None, 128, None, 1e-7, "") for dtype in ("float32", "float64")]
    return surface + own + [row._replace(way=DIFFERENCE, step=1e-3, error=1e-4) for row in own]


@pytest.mark.parametrize(
    ("error", "holds", "said"),
    [
        (lambda A_log, length: 1e-7, True, "the error does not grow (x 1.00 at most)"),
        (lambda A_log, length: 1e-9 * length, False, "it GROWS up to 100.0 times (Mamba, A_log -8)"),
        (lambda A_log, length: 1e-7 * (3 if A_log == 6 else 1), False, "the error GROWS up to 3.0 times"),
        (lambda A_log, length: math.nan if length == 10_000 else 1e-7, False, "NOT EXACT"),
    ],
)
def test_growth_with_length_or_stiffness_is_said_and_a_nan_is_no_small_error(error, holds, said):
    rows = made_up(error)
    finding, held = describe(rows, summarise(rows))
    assert held is holds
    assert said in finding


def test_what_would_pass_the_time_limit_is_left_out_and_says_so(tiny, monkeypatch):
    monkeypatch.setitem(fidelity.EFFORTS, "quick", Workload((-1.0,), (10, 10**9)))
    outcome = fidelity.run(replace(tiny, seconds=20.0))
    left_out = [row for row in outcome.rows if row.length == 10**9]
    assert len(left_out) == 2 * len(FAMILIES)
    assert all(row.error is None and row.note.startswith("left out: would take about ") for row in left_out)
    assert {row.longest for row in table(outcome.rows)} == {10}
