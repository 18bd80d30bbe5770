"""J v along the contrast direction v of a probe, by the sweep that runs use, and by differences of the output."""

from collections import deque
from collections.abc import Iterable

import torch
from torch import Tensor

from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.certificate.probes import DeepProbe
from pgf_cli.core.directions import Contrast
from pgf_cli.core.models.protocol import SequenceModel, StreamingModel
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.sweeps import TangentEdge, TangentTile, tangent_sweep
from pgf_cli.core.tiles import default_tile

STEP = 2e-6
"""Of the finite differences. Their truncation goes as its fourth power; what float64 rounds, some 1e-9, as 1 / step."""


def derivative(model: SequenceModel, probe: BaseCodes, tile: int) -> Tensor:
    """Return J v, (T, C)."""
    return _y_dot(tangent_sweep(model, probe, Contrast(), end=len(probe), tile=tile))


def state_at_probe(model: StreamingModel, deep: DeepProbe) -> TangentEdge:
    """Sweep the bases before a deep probe; return the state that is handed to it, with its tangent."""
    tiles = tangent_sweep(model, deep.codes, Contrast(), end=deep.lead, tile=default_tile(model, 1))
    (last,) = deque(tiles, maxlen=1)
    return last.edge


def derivative_from(model: StreamingModel, deep: DeepProbe, state: TangentEdge) -> Tensor:
    """Return J v of a deep probe's own bases, (T, C), from the state before them.

    v covers the bases before them, too.
    """
    end = len(deep.codes)
    return _y_dot(tangent_sweep(model, deep.codes, Contrast(), end=end, tile=end - deep.lead, begin=state))


def richardson_difference(model: SequenceModel, probe: BaseCodes) -> Tensor:
    """Return (4 D(step / 2) - D(step)) / 3 for the central difference D(h) = (F(x + h v) - F(x - h v)) / (2 h), (T, C).

    F is the model's ``whole``, its definition in plain torch. D is off by c h^2 + O(h^4), and c cancels.

    Source: Richardson 1911; e.g. Press et al., Numerical Recipes, section 5.7.
    """
    wide, narrow = (_central_difference(model, probe, step) for step in (STEP, STEP / 2))
    return (4 * narrow - wide) / 3


def _central_difference(model: SequenceModel, probe: BaseCodes, step: float) -> Tensor:
    x = one_hot(probe, model.dtype, model.device)
    v = Contrast().tangents(0, x)[0]
    with torch.no_grad():
        ahead, behind = (model.whole(moved) for moved in (x + step * v, x - step * v))
    return ((ahead - behind) / (2 * step)).cpu()


def _y_dot(tiles: Iterable[TangentTile]) -> Tensor:
    return torch.cat([tile.y_dot[0] for tile in tiles])
