"""``bench precision`` at tiny sizes: does the emulation round as the format does, and is growth with length seen?"""

import pytest
import torch
from matplotlib.figure import Figure

from pgf_cli.bench.baselines.rounded_scan import rounded
from pgf_cli.bench.baselines.scan_errors import Problem, ScanRow
from pgf_cli.bench.studies.precision import study as precision
from pgf_cli.bench.studies.precision.report import FORMATS, describe, summarise
from pgf_cli.bench.studies.precision.study import Workload
from pgf_cli.core.ops import frechet_scan
from pgf_cli.core.ops.frechet_scan import Scan


@pytest.fixture
def tiny(quick, monkeypatch):
    monkeypatch.setitem(precision.EFFORTS, "quick", Workload((40, 150), 1, 8))
    return quick


def test_the_emulated_scan_in_float64_is_the_reference():
    problem = Problem(6, 3, (-8.0, 0.0), 0)
    primal, dot = (Scan(*(part.double() for part in scan)) for scan in problem.tile(0, 37, *problem.initial()))
    found = rounded(torch.float64, torch.float64, primal, dot)
    exact = frechet_scan.reference.jvp(primal, dot)
    # Its functions are taken in float32 whatever the format.
    for part, whole in zip(found, exact, strict=True):
        assert float((part - whole).norm() / whole.norm()) < 3e-7


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_a_state_in_the_format_loses_what_a_state_in_float32_keeps(half):
    # A state of 4,096 that hardly decays and gains 1/2 a step: neither half can tell it from 4,096.5.
    ones, zeros = torch.ones(64, 1), torch.zeros(1, 64, 1)
    weights = {"A": torch.full((1, 1), -1e-6), "D": torch.zeros(1), "scale": torch.tensor(1.0)}
    scan = Scan(step=ones, B=ones / 2, C=ones, u=ones, h=torch.tensor([[4096.0]]), **weights)
    dot = Scan(step=zeros, B=zeros, C=zeros, u=zeros, h=torch.zeros(1, 1, 1), **weights)
    assert rounded(half, torch.float32, scan, dot).h.item() == pytest.approx(4096 + 64 / 2, abs=0.5)
    assert rounded(half, half, scan, dot).h.item() == 4096


def test_every_format_is_off_by_roundings_of_its_own(tiny):
    outcome = precision.run(tiny)
    assert {row.way for row in outcome.rows} == set(FORMATS)
    for name, numbers in FORMATS.items():
        errors = [row.error for row in outcome.rows if row.way == name]
        assert numbers.rounding / 20 < min(errors)
        assert max(errors) < 20 * numbers.rounding
    by_way = {name: max(row.error for row in outcome.rows if row.way == name) for name in FORMATS}
    assert by_way["float16, state in float32"] < by_way["float16 throughout"]
    assert by_way["bfloat16, state in float32"] < by_way["bfloat16 throughout"]
    figure = Figure()
    outcome.draw(figure)
    assert [axes.get_title() for axes in figure.axes] == ["A_log -8", "A_log -4", "A_log 0"]


def test_an_error_planted_in_float32_is_said_plainly(tiny, monkeypatch):
    right = frechet_scan.jvp

    def wrong(primal, dot):
        found = right(primal, dot)
        return found._replace(y=found.y * (1 + 1e-4))

    monkeypatch.setattr(precision.frechet_scan, "jvp", wrong)
    outcome = precision.run(tiny)
    assert outcome.holds is False
    assert outcome.summary["float32_roundings"] > 1000


@pytest.mark.parametrize(
    ("error", "holds", "said"),
    [
        (lambda length: 1e-7, True, "float32: at most 1.0e-07, 1.7 roundings (A_log -8), does not grow"),
        (lambda length: 1e-10 * length, False, "GROWS with length x 10.0 at A_log -8"),
        (lambda length: 1e-6, False, "at most 1.0e-06, 16.8 roundings"),
        (lambda length: float("nan") if length == 10_000 else 1e-7, False, "float32: NOT A NUMBER"),
    ],
)
def test_growth_too_many_roundings_and_nan_do_not_hold(error, holds, said):
    rows = [ScanRow("float32", -8.0, seed, length, error(length), "") for seed in (0, 1) for length in (1_000, 10_000)]
    finding, held = describe(rows)
    assert held is holds
    assert said in finding
    assert summarise(rows)["float32_roundings"] != 0
