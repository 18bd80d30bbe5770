import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from pgf_cli.bench.baselines.substitutions import responses
from pgf_cli.bench.studies.pulse import study as pulse
from pgf_cli.bench.studies.pulse.report import NOISE, PulseRow, describe, share_beyond, summarise, table
from pgf_cli.bench.subjects.dense_operator import DenseOperator, Noise, dense_operator
from pgf_cli.bench.subjects.random_models import random_bases, random_mamba
from pgf_cli.bench.subjects.sizes import Sizes
from pgf_cli.core.directions import Pulse, Pulses
from pgf_cli.core.models import StreamingModel
from pgf_cli.core.one_hot import one_hot


@pytest.fixture(scope="module")
def operator():
    return dense_operator(8, 3, -4.0, 0)


@pytest.fixture(scope="module")
def mamba():
    return random_mamba(Sizes(layers=2, channels=8, state=3), 0)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(pulse, "CHANNELS", 8)
    monkeypatch.setattr(pulse, "STATE", 3)
    monkeypatch.setattr(pulse, "CHECKED_BASES", 64)
    monkeypatch.setitem(pulse.EFFORTS, "quick", pulse.Workload((500, 1000), 300, 5, 128, False))


def test_the_impulse_is_found_where_it_is_and_agrees_with_forward_mode_in_float64(operator):
    row, profile = pulse.impulse(operator, 500, 0)
    assert row.position == 400
    assert row.before == 0
    assert row.error < 1e-5
    assert np.argmax(profile.largest) == 400
    assert row.height > row.echo > 0


def test_a_tangent_state_that_is_lost_between_tiles_is_an_error(operator, monkeypatch):
    whole = DenseOperator.jvp

    def forgetful(self, x, x_dot, state, state_dot):
        return whole(self, x, x_dot, state, torch.zeros_like(state_dot))

    monkeypatch.setattr(DenseOperator, "jvp", forgetful)
    assert pulse.impulse(operator, 900, 0)[0].error > 1e-3


def test_noise_does_not_depend_on_how_it_is_asked_for():
    noise = Noise(channels=3, deviation=0.01, seed=1)
    rows = noise(0, 600)
    torch.testing.assert_close(noise(127, 389), rows[127:389], rtol=0, atol=0)
    assert rows.std() == pytest.approx(0.01, rel=0.1)


def test_each_substitution_is_followed_as_if_it_were_alone(mamba):
    codes = random_bases(170, 0)
    pulses = [Pulse(position, int(codes[position] + 1) % 4) for position in (7, 48, 49, 64, 99)]
    x = one_hot(codes, torch.float64, mamba.device)
    exact = random_mamba(Sizes(layers=2, channels=8, state=3), 0).double()
    v = Pulses(pulses, separate=True).tangents(0, x)
    state, state_dot = StreamingModel.initial_jvp(exact, x[:0], v[:, :0])
    wanted = StreamingModel.jvp(exact, x, v, state, state_dot).y_dot.norm(dim=-1)
    found = list(responses(mamba, codes, pulses, 60, tile=50))
    assert [each.pulse for each in found] == pulses
    for each, norms in zip(found, wanted, strict=True):
        torch.testing.assert_close(each.values, norms[each.pulse.position :][:60], rtol=1e-4, atol=1e-8)
        assert each.before == 0


def test_a_wrong_derivative_of_substitutions_is_seen(mamba, monkeypatch):
    codes = random_bases(64, 0)
    assert pulse.substitution_error(mamba, codes, 0) < 1e-5
    whole = type(mamba).jvp

    def planted(self, *arguments):
        dual = whole(self, *arguments)
        return dual._replace(y_dot=dual.y_dot * 1.001)

    monkeypatch.setattr(type(mamba), "jvp", planted)
    assert pulse.substitution_error(mamba, codes, 0) == pytest.approx(1e-3, rel=1e-2)


def test_substitutions_are_other_bases_and_never_at_n():
    codes = random_bases(200, 0)
    codes[50:150] = 4
    pulses = pulse.random_substitutions(codes, 100, 0)
    assert len({each.position for each in pulses}) == 100
    assert all(codes[each.position] < 4 and each.alt in {0, 1, 2, 3} - {codes[each.position]} for each in pulses)


def test_the_quick_effort_gives_a_row_for_every_pulse_and_a_figure(quick, small):
    outcome = pulse.run(quick)
    assert [row.length for row in outcome.rows if row.subject == NOISE] == [500, 1000]
    assert sum(row.subject == "trained Mamba" for row in outcome.rows) == 5
    assert outcome.holds is True
    figure = Figure()
    outcome.draw(figure)
    assert figure.axes[1].get_xlabel() == "bases"


def made_up(**changed):
    impulse = PulseRow(NOISE, 1000, 800, "", 16.0, 1, 0, 200, 0.01, 0.03, 5, 90, 0.0, 0.0, 1e-7, 1.0)
    known = [
        PulseRow("trained Mamba", 5000, at, "A", 0.1, at, 10 * at, 4096, 0.3, 0.1, 3, 9, 0.0, 0.0, 1e-7, 1.0)
        for at in range(1, 101)
    ]
    return [impulse._replace(**changed), *known]


def verdict(**changed):
    rows = made_up(**changed)
    return describe(rows, summarise(rows))


def test_half_life_and_reach_are_quantiles_over_substitutions():
    said, holds = verdict()
    assert holds is True
    assert "half-life 50 bases (5% to 95%: 5 to 95), reach 500 (50 to 950)" in said
    assert table(made_up())[1].pulses == 100


@pytest.mark.parametrize("changed", [{"before": 1e-30}, {"error": 1e-3}, {"error": float("nan")}, {"echo": 0.0}])
def test_a_response_that_is_early_inexact_or_absent_does_not_hold(changed):
    assert verdict(**changed)[1] is False


def test_the_share_beyond_a_distance_counts_what_lies_farther():
    assert share_beyond(np.array([2.0, 1.0, 0.5, 0.5]), 1) == pytest.approx(0.25)
