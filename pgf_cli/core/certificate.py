"""The certificate of exactness: is this model's derivative what it claims to be, on this machine, on this sequence?

Relative error is ||a - b|| / ||b|| in the 2-norm over the whole probe, never per base.
"""

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pgf_cli.core.bases import N_CODE, BaseCodes
from pgf_cli.core.directions import Contrast
from pgf_cli.core.models.protocol import StreamingModel
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.sweeps.adjoint import adjoint_sweep
from pgf_cli.core.sweeps.tangent import tangent_sweep

PROBE_BASES = 256
STEP = 1e-5
FINITE_DIFFERENCE_THRESHOLD = 1e-6
PRECISION_THRESHOLD = 1e-5
ROUNDING_THRESHOLDS = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 2e-2}
"""For two ways to the same number with factors of the same number format; bfloat16 has 8 bits."""
RAGGED_TILE = 37
"""Tile of the checks in tiles: odd, and no divisor of the probe's length, so that the last tile is short."""


class Check(NamedTuple):
    """One comparison: two ways to the same derivative, and how far apart they came out."""

    name: str
    detail: str
    error: float
    """Relative error."""
    threshold: float

    @property
    def passed(self) -> bool:
        """Whether the error is within the threshold; NaN is not."""
        return self.error <= self.threshold


@dataclass(frozen=True)
class Certificate:
    """The checks made on one probe."""

    probe_bases: int
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


def take_probe(chunks: Iterable[BaseCodes], bases: int = PROBE_BASES) -> BaseCodes:
    """Return the first bases that are not N, fewer than asked for where there are no more; reads no further."""
    parts: list[BaseCodes] = [np.empty(0, dtype=np.uint8)]
    for chunk in chunks:
        parts.append(chunk[chunk != N_CODE])
        if sum(map(len, parts)) >= bases:
            break
    return np.concatenate(parts)[:bases]


def certify(model: StreamingModel, probe: BaseCodes, *, seed: int = 0) -> Certificate:
    """Check tangent and adjoint of ``model`` along the contrast direction v on a probe (T,) of base codes without N.

    The finite differences use ``forward``, the definition in plain torch, so they check the fast analytic path and
    not merely its consistency with itself. The adjoint is checked against the tangent by <w, J v> = <J^T w, v>.

    Args:
        model: any streaming model in float32 or float64, its matrix products in the same or in bfloat16.
        probe: base codes, (T,), T >= 1.
        seed: of the weights w.
    """
    double = copy.deepcopy(model).to(torch.float64)
    single = copy.deepcopy(model).to(torch.float32)
    exact = _derivative(double, probe, len(probe))
    whole = _derivative(model, probe, len(probe))
    tiled = _derivative(model, probe, RAGGED_TILE)
    run_dtype, rounding = str(model.product_dtype).removeprefix("torch."), ROUNDING_THRESHOLDS[model.product_dtype]
    own = (
        Check(
            "bfloat16 products against float64",
            "J v of the whole probe in one tile, weights as rounded",
            relative_error(whole, exact),
            rounding,
        ),
    )
    return Certificate(
        len(probe),
        (
            Check(
                "adjoint identity",
                f"<w, J v> and <J^T w, v>, tiles of {RAGGED_TILE}, {run_dtype}",
                _adjoint_gap(model, probe, tiled, seed),
                rounding,
            ),
            Check(
                "central finite differences",
                f"J v and differences of the output, step {STEP:g}, float64",
                relative_error(_central_difference(double, probe), exact),
                FINITE_DIFFERENCE_THRESHOLD,
            ),
            Check(
                "float32 against float64",
                "J v of the whole probe in one tile",
                relative_error(_derivative(single, probe, len(probe)), exact),
                PRECISION_THRESHOLD,
            ),
            Check(
                f"tiles of {RAGGED_TILE} against one tile", f"J v, {run_dtype}", relative_error(tiled, whole), rounding
            ),
            *(own if model.product_dtype == torch.bfloat16 else ()),
        ),
    )


def relative_error(a: Tensor, b: Tensor) -> float:
    """Return ||a - b|| / ||b|| in float64; 0 where both are 0 throughout."""
    return _relative((a.double() - b.double()).norm().item(), b)


def _relative(gap: float, b: Tensor) -> float:
    size = b.double().norm().item()
    return gap / size if size else (0.0 if gap == 0.0 else float("inf"))


def _derivative(model: StreamingModel, probe: BaseCodes, tile: int) -> Tensor:
    """J v, (T, C)."""
    tiles = tangent_sweep(model, probe, Contrast(), end=len(probe), tile=tile)
    return torch.cat([part.y_dot[0] for part in tiles])


class _Weighted:
    """The objective <w, y> for given weights w (T, C)."""

    def __init__(self, w: Tensor) -> None:
        self._w = w

    def weights(self, start: int, codes: BaseCodes, following: int | None) -> Tensor:
        return self._w[start : start + len(codes)]


def _adjoint_gap(model: StreamingModel, probe: BaseCodes, y_dot: Tensor, seed: int) -> float:
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
    return _relative(abs(tangent - adjoint), y_dot)


def _central_difference(model: StreamingModel, probe: BaseCodes) -> Tensor:
    """(F(x + step v) - F(x - step v)) / (2 step), (T, C)."""
    x = one_hot(probe, model.dtype, model.device)
    v = Contrast().tangents(0, x)[0]
    with torch.no_grad():
        ahead, behind = (
            model.forward(moved, model.initial_state(moved[: model.lookahead]))[0]
            for moved in (x + STEP * v, x - STEP * v)
        )
    return ((ahead - behind) / (2 * STEP)).cpu()
