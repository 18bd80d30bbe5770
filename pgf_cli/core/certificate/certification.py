"""Make the certificate: is this model's derivative what it claims to be, on this machine and on this input?"""

import copy
import math
from functools import partial
from typing import cast

import torch
from torch import Tensor

from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.certificate.checks import Certificate, Check, relative_error, relative_to
from pgf_cli.core.certificate.conditioning import (
    FACTOR,
    FLOOR,
    STATE_FACTOR,
    UNIT,
    state_kappa,
    weight_kappa,
    weight_kappa_from,
)
from pgf_cli.core.certificate.derivatives import (
    STEP,
    derivative,
    derivative_from,
    richardson_difference,
    state_at_probe,
)
from pgf_cli.core.certificate.precision import precision_text
from pgf_cli.core.certificate.probes import DeepProbe
from pgf_cli.core.directions import Contrast
from pgf_cli.core.models.protocol import SequenceModel, StreamingModel
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.sweeps import adjoint_sweep

FINITE_DIFFERENCE_THRESHOLD = 1e-6
ROUNDING_FLOORS = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 2e-2}
"""For two ways to the same number with factors of the same number format; bfloat16 has 8 bits."""
GAP_FLOORS = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 1e-3}
"""For the two signed totals of a run, relative to the magnitudes of their parts, among which roundings average out."""
GAP_FACTOR = 2.0
RAGGED_TILE = 37
"""Tile of the checks in tiles: odd, and no divisor of the probe's length, so that the last tile is short."""


def certify(model: SequenceModel, probe: BaseCodes, *, deep: DeepProbe | None = None, seed: int = 0) -> Certificate:
    """Check tangent and adjoint of ``model`` along the contrast direction v on a probe (T,) of base codes without N.

    The finite differences use ``whole``, the definition in plain torch, so they check the fast analytic path and
    not merely its consistency with itself. The adjoint is checked against the tangent by <w, J v> = <J^T w, v>.
    float32 is judged by the model's own conditioning (``conditioning``); float64 is not judged by float32.

    Args:
        model: any model in float32 or float64, its matrix products in the same or in bfloat16.
        probe: base codes, (T,), T >= 1.
        deep: where the state is old; read in the model's own number format and in float64. A float64 model does
            without it: there is nothing better to compare it with. So does one that reads in both directions: its
            states grow old within the probe's own reading only.
        seed: of the weights w.
    """
    double = copy.deepcopy(model).to(torch.float64)
    exact = derivative(double, probe, len(probe))
    kappa = weight_kappa(double, probe, exact)
    single = relative_error(derivative(copy.deepcopy(model).to(torch.float32), probe, len(probe)), exact)
    checks = [
        *_consistency(model, probe, kappa, seed),
        Check(
            "central finite differences",
            f"J v and differences of the output, steps {STEP:g} and {STEP / 2:g} extrapolated, float64",
            relative_error(richardson_difference(double, probe), exact),
            FINITE_DIFFERENCE_THRESHOLD,
        ),
    ]
    if model.dtype == torch.float32:
        detail = f"J v of the whole probe in one tile; kappa {kappa:.1e}"
        checks.append(Check("float32 against float64", detail, single, max(FLOOR, FACTOR * kappa)))
    errors = [single]
    if model.product_dtype == torch.bfloat16:
        halved = relative_error(derivative(model, probe, len(probe)), exact)
        detail, floor = "J v of the whole probe in one tile, weights as rounded", ROUNDING_FLOORS[torch.bfloat16]
        checks.append(Check("bfloat16 products against float64", detail, halved, floor))
        errors = [halved]
    if deep is not None and isinstance(model, StreamingModel) and model.dtype == torch.float32:
        found, deep_kappa = _deep_check(model, cast(StreamingModel, double), deep)
        checks.append(found)
        errors.append(found.error)
        kappa = max(kappa, deep_kappa)
    else:
        deep = None
    return Certificate(len(probe), deep, kappa, precision_text(model.product_dtype, *errors), tuple(checks))


def run_gap_check(
    tangent_total: float, adjoint_total: float, magnitude: float, dtype: torch.dtype, certificate: Certificate
) -> Check:
    """Return the check of a whole run's two signed totals: <w, J v> by the tangent sweeps, <J^T w, v> by the adjoint's.

    They are sums over millions of parts of either sign, so their gap is held against the sum of the parts' magnitudes:
    there, right runs of 1,000 to 400,000 bases were off by 2e-9 to 3e-7 in float32, with states as slow as A_log -8 by
    up to 2e-6; one base of 3,000 changed between the sweeps made 3e-5 to 1e-3, thirty or more made 5e-4 to 4e-2.

    Args:
        tangent_total, adjoint_total: the totals, summed in float64.
        magnitude: the sum over bases of the magnitudes of their parts of the adjoint's total.
        dtype: the number format of the run's matrix products.
        certificate: of the run's model.
    """
    error = relative_to(abs(tangent_total - adjoint_total), magnitude)
    threshold = max(GAP_FLOORS[dtype], GAP_FACTOR * _kappa_in(dtype, certificate.kappa))
    return Check(
        "signed totals of the run", "<w, J v> and <J^T w, v> of all records, against their parts", error, threshold
    )


def _consistency(model: SequenceModel, probe: BaseCodes, kappa: float, seed: int) -> list[Check]:
    """Compare the two sweeps, and tiles with one tile, in the number format of the run."""
    dtype = str(model.product_dtype).removeprefix("torch.")
    threshold = max(ROUNDING_FLOORS[model.product_dtype], FACTOR * _kappa_in(model.product_dtype, kappa))
    whole, tiled = derivative(model, probe, len(probe)), derivative(model, probe, RAGGED_TILE)
    gap = _adjoint_gap(model, probe, tiled, seed)
    return [
        Check("adjoint identity", f"<w, J v> and <J^T w, v>, tiles of {RAGGED_TILE}, {dtype}", gap, threshold),
        Check(f"tiles of {RAGGED_TILE} against one tile", f"J v, {dtype}", relative_error(tiled, whole), threshold),
    ]


def _kappa_in(dtype: torch.dtype, kappa: float) -> float:
    """Kappa for the roundings of a number format; bfloat16, whose products alone are short, is not judged by it."""
    return 0.0 if dtype == torch.bfloat16 else kappa * (torch.finfo(dtype).eps / 2) / UNIT


def _deep_check(model: StreamingModel, double: StreamingModel, deep: DeepProbe) -> tuple[Check, float]:
    """Compare J v where the state is old with float64; return the kappa that judged it, too.

    The roundings of the state cost two more sweeps in float64, so they are looked at only where the weights' do not
    explain the error.
    """
    state = state_at_probe(double, deep)
    exact = derivative_from(double, deep, state)
    error = relative_error(derivative_from(model, deep, state_at_probe(model, deep)), exact)
    dtype = str(model.product_dtype).removeprefix("torch.")
    name, detail = f"{dtype} against float64, deep inside", f"J v, state handed on over {deep.lead:,} bases"
    if model.product_dtype == torch.bfloat16:
        return Check(name, detail, error, ROUNDING_FLOORS[torch.bfloat16]), 0.0
    kappa = weight_kappa_from(double, deep, state, exact)
    threshold = max(FLOOR, FACTOR * kappa)
    detail += f"; kappa {kappa:.1e}"
    if math.isfinite(error) and error > threshold:
        of_state = state_kappa(double, deep, exact)
        threshold, kappa = max(threshold, STATE_FACTOR * of_state), max(kappa, of_state)
        detail += f", of the state {of_state:.1e}"
    return Check(name, detail, error, threshold), kappa


class _Weighted:
    """The objective <w, y> for given weights w (T, C)."""

    def __init__(self, w: Tensor) -> None:
        self._w = w

    def weights(self, start: int, codes: BaseCodes, following: int | None) -> Tensor:
        return self._w[start : start + len(codes)]


def _adjoint_gap(model: SequenceModel, probe: BaseCodes, y_dot: Tensor, seed: int) -> float:
    """|<w, J v> - <J^T w, v>| / ||J v||, summed in float64, for J v = y_dot (T, C) and w standard normal."""
    normal = torch.randn(y_dot.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    w = normal.to(y_dot)
    tangent = (w.double() * y_dot.double()).sum().item()
    v = Contrast().tangents(0, one_hot(probe, model.dtype, y_dot.device))[0].double()

    sweep = partial(adjoint_sweep, model, probe, _Weighted(w), end=len(probe), tile=RAGGED_TILE)
    # Too few snapshots for all tiles, so that states are computed anew, but enough that none is more than once.
    schedule = sweep().schedule
    few = (math.isqrt(2 * schedule.tiles) + 1) * schedule.state_bytes
    adjoint = sum(
        (tile.x_bar.double() * v[tile.start : tile.start + len(tile.x_bar)]).sum().item() for tile in sweep(budget=few)
    )
    return relative_to(abs(tangent - adjoint), y_dot.double().norm().item())
