"""The two signed totals of a run: equal to rounding where both sweeps read the same bases, and only there."""

import math

import pytest
import torch
from certificate_models import ill_conditioned, initial_mamba, random_codes

from pgf_cli.core.certificate import certify, run_gap_check
from pgf_cli.core.directions import Contrast
from pgf_cli.core.objectives import LogLikelihood
from pgf_cli.core.sweeps import adjoint_sweep, tangent_sweep
from pgf_cli.sweeps import SignedTotal
from pgf_cli.sweeps.totals import parts_along

LENGTH = 2_000


def totals(model, tangent_bases, adjoint_bases):
    """<w, J v>, <J^T w, v> and the magnitude of its parts, as a run sums them."""
    objective = LogLikelihood(None, model.dtype, model.device)
    total = SignedTotal(tangent_bases, objective, Contrast(), LENGTH)
    tangent = sum(map(total.of_tangent, tangent_sweep(model, tangent_bases, Contrast(), end=LENGTH, tile=300)))
    tiles = adjoint_sweep(model, adjoint_bases, objective, end=LENGTH, tile=300)
    parts = torch.cat([parts_along(Contrast(), tile.start, tile.bases, tile.x_bar) for tile in tiles])
    return tangent, parts.sum().item(), parts.abs().sum().item()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "make",
    [
        lambda: initial_mamba(16, 1),
        lambda: initial_mamba(32, 2, a_log=-8.0),
        lambda: ill_conditioned(initial_mamba(32, 4), 0.3),
    ],
)
def test_both_sweeps_over_the_same_bases_pass_and_over_one_changed_base_fail(make, dtype):
    model, bases = make().to(dtype), random_codes(LENGTH)
    certificate = certify(model, bases[:256])
    right = run_gap_check(*totals(model, bases, bases), dtype, certificate)
    assert right.passed, right
    changed = bases.copy()
    changed[LENGTH // 2] = (changed[LENGTH // 2] + 1) % 4
    wrong = run_gap_check(*totals(model, bases, changed), dtype, certificate)
    assert not wrong.passed, wrong
    assert wrong.error > 10 * wrong.threshold


def test_the_gap_is_taken_against_the_parts_and_not_against_a_total_that_cancels():
    certificate = certify(initial_mamba(16, 1), random_codes(60))
    assert run_gap_check(1e-6, 2e-6, 10.0, torch.float32, certificate).error == pytest.approx(1e-7)
    assert run_gap_check(0.0, 0.0, 0.0, torch.float32, certificate).passed
    assert not run_gap_check(1.0, 0.0, 0.0, torch.float32, certificate).passed
    assert not run_gap_check(math.nan, 0.0, 1.0, torch.float32, certificate).passed


def test_a_gap_of_five_hundredths_fails_in_every_number_format():
    certificate = certify(initial_mamba(16, 1), random_codes(60))
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        assert not run_gap_check(1.05, 1.0, 1.0, dtype, certificate).passed
