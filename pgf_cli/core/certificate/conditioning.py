"""How far rounding alone may move a model's derivative: the yardstick that float32 is judged by.

A model whose derivative changes by 1e-5 when its weights change by less than float32 can tell apart is ill-conditioned:
no float32 computation of it is better than that, however right. So float32 is held to what its own roundings do, as
measured in float64 where nothing else is rounded:

* kappa: the change of J v when every weight is multiplied by 1 + u xi, u = 2^-24 and xi uniform on (-1, 1);
* kappa of the state: the same when, over a long lead-in, the state and its tangent are rounded as well, as a state kept
  in float32 is at every base. A slow state adds these roundings up: 1e-5 after 65,536 bases at A_log -8, where the
  weights' kappa is 5e-7.

Right kernels were off by 1.2 to 9.0 kappa on 178 probes: Mamba at its usual initial weights from 16 x 1 to 128 x 24,
with A_log -8 and +6, with all parameters + 0.15 to 1.0 normal from 64 x 2 to 256 x 4; both sample models; the paper's
operator from A_log -8 to +6. One was at 9.0, all others within 7.5; the factor is 10. At a depth of 16,384 to 65,536
bases slow states were off by 0.6 to 1.1 kappa of the state; the factor there is 3. The update form that loses slow
states is five times and more beyond it where step sizes are steady, but hardly beyond it where they vary and its
roundings average out: 1.2 times after 4,096 bases.
"""

import copy
import math
from collections import deque
from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import Tensor

from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.certificate.checks import relative_error
from pgf_cli.core.certificate.derivatives import derivative, derivative_from
from pgf_cli.core.certificate.probes import DeepProbe
from pgf_cli.core.directions import Contrast
from pgf_cli.core.models.protocol import SequenceModel, StreamingModel, map_state
from pgf_cli.core.sweeps import TangentEdge, tangent_sweep

Model = TypeVar("Model", bound=SequenceModel)

UNIT = 2.0**-24
"""Half the spacing of float32's numbers, relative: what one rounding does at most."""
WEIGHT_SEEDS, STATE_SEEDS = 3, 2
FACTOR, STATE_FACTOR = 10.0, 3.0
"""How many kappa, and how many kappa of the state, a right float32 derivative may be off."""
FLOOR = 1e-6
"""What float32 may be off whatever the conditioning."""
STRETCH = 256
"""Bases whose roundings of the state are made at once."""


def weight_kappa(double: SequenceModel, probe: BaseCodes, exact: Tensor) -> float:
    """Return the mean over three seeds of the relative change of J v when every weight moves.

    Args:
        double: the model in float64.
        probe: base codes, (T,).
        exact: J v of the model as it is, (T, C).
    """
    changed = (derivative(_moved(double, seed), probe, len(probe)) for seed in range(WEIGHT_SEEDS))
    return _mean_change(changed, exact)


def weight_kappa_from(double: StreamingModel, deep: DeepProbe, state: TangentEdge, exact: Tensor) -> float:
    """Return the same on a deep probe, from the state before it, which does not move."""
    changed = (derivative_from(_moved(double, seed), deep, state) for seed in range(WEIGHT_SEEDS))
    return _mean_change(changed, exact)


def state_kappa(double: StreamingModel, deep: DeepProbe, exact: Tensor) -> float:
    """Return the mean over two seeds of the relative change of J v when weights move and the state is rounded.

    The roundings of 256 bases are made together, sqrt(256) times as large: to a state that is slow it is the same, and
    one that is fast has forgotten them, for there are none in the last 256 bases before the probe.
    """
    return _mean_change((_rounded(_moved(double, seed), deep, seed) for seed in range(STATE_SEEDS)), exact)


def _mean_change(changed: Iterable[Tensor], exact: Tensor) -> float:
    errors = [relative_error(one, exact) for one in changed]
    return sum(errors) / len(errors)


def _moved(model: Model, seed: int) -> Model:
    """The model with every weight multiplied by 1 + UNIT xi."""
    generator = torch.Generator().manual_seed(seed)
    moved = copy.deepcopy(model)
    with torch.no_grad():
        for weight in moved.parameters():
            weight.mul_(_roundings(weight, generator, 1))
    return moved


def _rounded(model: StreamingModel, deep: DeepProbe, seed: int) -> Tensor:
    """J v of a deep probe, the state rounded on the way there."""
    generator = torch.Generator().manual_seed(seed)

    def rounded(part: Tensor) -> Tensor:
        return part * _roundings(part, generator, STRETCH)

    edge: TangentEdge | None = None
    for end in range(STRETCH, deep.lead - STRETCH + 1, STRETCH):
        (tile,) = tangent_sweep(model, deep.codes, Contrast(), end=end, tile=STRETCH, begin=edge)
        edge = tile.edge._replace(
            state=map_state(rounded, tile.edge.state), state_dot=map_state(rounded, tile.edge.state_dot)
        )
    (last,) = deque(tangent_sweep(model, deep.codes, Contrast(), end=deep.lead, tile=STRETCH, begin=edge), maxlen=1)
    return derivative_from(model, deep, last.edge)


def _roundings(like: Tensor, generator: torch.Generator, count: int) -> Tensor:
    """Factors that do what ``count`` independent roundings of each number do, on average of the squares."""
    xi = 2 * torch.rand(like.shape, generator=generator, dtype=torch.float64) - 1
    return 1 + UNIT * math.sqrt(count) * xi.to(like.device)
