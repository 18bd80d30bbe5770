"""The certificate of exactness: is this model's derivative what it claims to be, on this machine, on this sequence?

Relative error is ||a - b|| / ||b|| in the 2-norm over the whole probe, never per base.
"""

import copy
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from pgf_cli.core.bases import BaseCodes, one_hot
from pgf_cli.core.directions import Contrast
from pgf_cli.core.models.protocol import StreamingModel
from pgf_cli.core.sweeps.tangent import tangent_sweep

PROBE_BASES = 256
STEP = 1e-5
FINITE_DIFFERENCE_THRESHOLD = 1e-6
PRECISION_THRESHOLD = 1e-5
TILE_THRESHOLDS = {torch.float32: 1e-5, torch.float64: 1e-12}
RAGGED_TILE = 37
"""Tile of the tiling check: odd, and no divisor of the probe's length, so that the last tile is short."""


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


def certify(model: StreamingModel, probe: BaseCodes) -> Certificate:
    """Check the tangent of ``model`` along the contrast direction on a probe (T,) of base codes without N.

    The finite differences use ``forward``, the definition in plain torch, so they check the fast analytic path and
    not merely its consistency with itself.
    """
    double = copy.deepcopy(model).to(torch.float64)
    single = copy.deepcopy(model).to(torch.float32)
    exact = _derivative(double, probe, len(probe))
    whole = _derivative(model, probe, len(probe))
    tiled = _derivative(model, probe, RAGGED_TILE)
    return Certificate(
        len(probe),
        (
            Check(
                "central finite differences",
                f"float64, step {STEP:g}",
                relative_error(_central_difference(double, probe), exact),
                FINITE_DIFFERENCE_THRESHOLD,
            ),
            Check(
                "float32 against float64",
                "the whole probe in one tile",
                relative_error(_derivative(single, probe, len(probe)), exact),
                PRECISION_THRESHOLD,
            ),
            Check(
                f"tiles of {RAGGED_TILE} against one tile",
                str(model.dtype).removeprefix("torch."),
                relative_error(tiled, whole),
                TILE_THRESHOLDS[model.dtype],
            ),
        ),
    )


def relative_error(a: Tensor, b: Tensor) -> float:
    """Return ||a - b|| / ||b|| in float64; 0 where both are 0 throughout."""
    gap, size = (a.double() - b.double()).norm().item(), b.double().norm().item()
    return gap / size if size else (0.0 if gap == 0.0 else float("inf"))


def _derivative(model: StreamingModel, probe: BaseCodes, tile: int) -> Tensor:
    """J v, (T, C)."""
    tiles = tangent_sweep(model, probe, Contrast(), end=len(probe), tile=tile)
    return torch.cat([part.y_dot[0] for part in tiles])


def _central_difference(model: StreamingModel, probe: BaseCodes) -> Tensor:
    """(F(x + step v) - F(x - step v)) / (2 step), (T, C)."""
    x = one_hot(probe, model.dtype, model.device)
    v = Contrast().tangents(0, x)[0]
    with torch.no_grad():
        ahead, behind = (
            model.forward(moved, model.initial_state(moved[: model.lookahead]))[0]
            for moved in (x + STEP * v, x - STEP * v)
        )
    return (ahead - behind) / (2 * STEP)
