"""``bench speed`` on tiny sizes: does every contestant compute the derivative that it is timed at?"""

import math

import pytest
from matplotlib.figure import Figure
from torch.utils.flop_counter import FlopCounterMode

from pgf_cli.bench.baselines.ours import fewest_for_two_readings
from pgf_cli.bench.baselines.products import bounds, products_name
from pgf_cli.bench.framework.contestants import Contestant, Measured
from pgf_cli.bench.framework.experiment import Setting
from pgf_cli.bench.framework.timing import Watched
from pgf_cli.bench.studies.speed import study as speed
from pgf_cli.bench.studies.speed.report import SAME, TARGETS, Group, findings
from pgf_cli.bench.subjects.random_models import random_bases, random_mamba
from pgf_cli.bench.subjects.sizes import Sizes
from pgf_cli.core.objectives import LogLikelihood
from pgf_cli.core.sweeps import adjoint_sweep
from pgf_cli.progress import SilentProgress

SIZES = Sizes(layers=2, channels=16, state=4)
LENGTH = 150


@pytest.fixture(scope="module")
def outcome():
    pytest.importorskip("mambapy")
    setting = Setting("quick", 0, 1, 60.0, SilentProgress())
    return speed.run(setting, speed.Wanted(SIZES, SIZES, LENGTH))


def test_every_contestant_computes_our_derivative(outcome):
    errors = {row.contestant: row.error for row in outcome.table if row.error is not None}
    assert set(errors) >= {
        "tangent, K = 8",
        "adjoint, states twice",
        "autograd",
        "checkpointing",
        "torch.func, tiled",
        "transformers, forward mode",
        "transformers, reverse mode",
        "transformers with mambapy, reverse mode",
        "transformers' Mamba-2, forward mode",
        "transformers' Mamba-2, reverse mode",
    }
    # The summary's is over all runs; on several threads transformers does not round the same way in each.
    assert max(errors.values()) <= outcome.summary["largest_error"] < SAME / 10


def test_every_run_is_a_row_and_what_cannot_run_says_why(outcome):
    runs = [row for row in outcome.rows if row.contestant == "tangent" and "Mamba," in row.subject]
    assert [row.run for row in runs] == [1, 1]
    assert {row.length for row in runs} == {LENGTH}
    (cannot,) = [row for row in outcome.rows if row.seconds is None]
    assert cannot.contestant == "transformers with mambapy, forward mode"
    assert cannot.note.startswith("failed: RuntimeError")


def test_every_target_has_its_ratio_and_the_figure_can_be_drawn(outcome):
    unmeasured = {target.summary for target in TARGETS if math.isnan(outcome.summary[target.summary])}
    assert unmeasured == {"compiled_over_adjoint"}
    assert "torch.compile over the adjoint" in outcome.finding.partition("not told by this measurement: ")[2]
    figure = Figure()
    outcome.draw(figure)
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "bases per second",
        "peak memory (MB above what was resident)",
    ]


def test_ratios_are_of_time_per_base_and_a_wrong_contestant_is_said_plainly(quick, monkeypatch):
    microseconds = {"primal": 10, "tangent": 15, "tangent, K = 8": 60, "adjoint": 40, "autograd": 6000}

    def made_up(contestants, length, repeats, seconds, progress):
        return [
            Measured(
                each,
                length,
                (Watched(length * 1e-6 * microseconds.get(each.name, 30), 10**6),) * repeats,
                0.01 if each.name == "autograd" else 1e-7 if each.same_as else None,
                "",
            )
            for each in contestants
        ]

    monkeypatch.setattr(speed, "measure", made_up)
    found = speed.run(quick, speed.Wanted(SIZES, SIZES, LENGTH))
    assert [found.summary[name] for name in ("tangent_over_primal", "tangent_8_over_1", "adjoint_over_primal")] == (
        pytest.approx([1.5, 4, 4])
    )
    assert found.summary["frechet_autograd_over_tangent"] == pytest.approx(400)
    assert found.summary["tangent_share_of_bound"] == pytest.approx(2)
    rows = {row.contestant: row for row in found.table if "Mamba," in row.subject}
    assert rows["autograd"].ours_faster == pytest.approx(150)
    assert rows["tangent"].bases_per_second == pytest.approx(1e6 / 15)
    assert found.holds is False
    assert "NOT ALL COMPUTE THE SAME DERIVATIVE: largest relative error 1.0e-02" in found.finding


def test_the_finding_names_missed_targets_and_holds_only_if_none_is():
    def groups(length):
        rivals = {target.rival: target.length for target in TARGETS if target.rival}
        return [
            Group("", "", {name: Measured(Contestant(name, None), length or each, (), None, "")})
            for name, each in rivals.items()
        ]

    summary = {target.summary: target.limit for target in TARGETS}
    summary |= {"largest_error": 1e-6, "tangent_bases_per_second": 2e4, "adjoint_bases_per_second": 1e4}
    assert findings(groups(None), summary)[1] is True
    assert findings(groups(None), summary | {"compiled_over_adjoint": math.nan})[1] is None
    assert findings(groups(None), summary | {"largest_error": math.nan})[1] is False
    said, holds = findings(groups(None), summary | {"tangent_over_primal": 1.7, "mambapy_over_adjoint": 9.0})
    assert holds is False
    assert "11 of 13 targets met" in said
    assert said.endswith(
        "missed: mambapy's reverse mode over the adjoint 9.00 (at least 10), tangent over primal 1.70 (at most 1.6)"
    )
    # Against a rival on a sequence shorter than the target names, a miss is no miss; and what is met, is met.
    said, holds = findings(groups(256), summary | {"mambapy_over_adjoint": 9.0})
    assert holds is None
    assert said.endswith("not told by this measurement: mambapy's reverse mode over the adjoint")


def test_the_bound_multiplies_every_weight_with_every_row_once():
    model = random_mamba(SIZES, 0)
    weights = sum(
        projection.weight.numel()
        for block in model.blocks
        for projection in (block.mixer.in_proj, block.mixer.x_proj, block.mixer.dt_proj, block.mixer.out_proj)
    )
    contestants = {each.name: each for each in bounds(model, 64, (4,), 1)}
    work = contestants[products_name(4, "torch")].prepare(LENGTH)
    with FlopCounterMode(display=False) as counter:
        work()
    assert counter.get_total_flops() == 2 * 5 * LENGTH * weights


@pytest.mark.parametrize("tiles", [4, 6, 7, 32, 100])
def test_the_second_adjoint_computes_states_twice_and_none_three_times(tiles):
    model, codes = random_mamba(SIZES, 0), random_bases(tiles, 0)
    objective = LogLikelihood(None, model.dtype, model.device)

    def schedule(snapshots):
        state_bytes = adjoint_sweep(model, codes, objective, end=tiles, tile=1).schedule.state_bytes
        return adjoint_sweep(model, codes, objective, end=tiles, tile=1, budget=snapshots * state_bytes).schedule

    snapshots = fewest_for_two_readings(tiles)
    assert tiles / 4 <= schedule(snapshots).extra_tiles <= tiles
    if snapshots > 2:
        assert (snapshots + 1) * (snapshots + 2) / 2 >= tiles > snapshots * (snapshots + 1) / 2
