"""Our own sweeps as contestants."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from pgf_cli.bench.framework.contestants import Contestant, Derivation
from pgf_cli.bench.subjects.random_models import random_bases
from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.directions import Contrast, Direction, Pulse, Pulses, RandomNormal
from pgf_cli.core.models import StreamingModel
from pgf_cli.core.objectives import Objective
from pgf_cli.core.sweeps import adjoint_sweep, tangent_sweep

PRIMAL, TANGENT, ADJOINT, ADJOINT_TWICE = "primal", "tangent", "adjoint", "adjoint, states twice"


def tangent_name(directions: int) -> str:
    """Return the name of the tangent sweep of K directions."""
    return TANGENT if directions == 1 else f"{TANGENT}, K = {directions}"


class ContrastAndRandom:
    """K directions: the contrast, and K - 1 random ones."""

    begins = 0

    def __init__(self, count: int, seed: int) -> None:
        self.count = count
        self._random = RandomNormal(count - 1, seed, "random")

    def tangents(self, start: int, x: Tensor) -> Tensor:
        """Return v (K, T, 5)."""
        return torch.cat([Contrast().tangents(start, x), self._random.tangents(start, x)])


def sweeps(
    model: StreamingModel,
    objective: Callable[[], Objective],
    seed: int,
    tile: int,
    directions: tuple[int, ...],
) -> list[Contestant]:
    """Return the primal, tangent and adjoint sweeps.

    The adjoint comes twice: with a snapshot for every tile, and with so few that nearly every tile's state is computed
    once more on the way back, which is how a long sequence is swept in a fixed budget.

    Args:
        model: what is differentiated.
        objective: makes what the adjoint explains.
        seed: of the bases, and of directions beyond the contrast.
        tile: bases per tile.
        directions: each K.
    """

    def primal(length: int) -> Derivation:
        codes, never = random_bases(length, seed), Pulses([Pulse(length)])
        return lambda: _run_tangent(model, codes, never, tile)

    def tangent(count: int, length: int) -> Derivation:
        codes = random_bases(length, seed)
        direction: Direction = Contrast() if count == 1 else ContrastAndRandom(count, seed)
        return lambda: _run_tangent(model, codes, direction, tile)

    def adjoint(few: bool, length: int) -> Derivation:
        codes, tiles = random_bases(length, seed), -(-length // tile)
        snapshots = fewest_for_two_readings(tiles) if few else tiles
        return lambda: _run_adjoint(model, codes, objective(), tile, snapshots)

    return [
        Contestant(PRIMAL, primal),
        *(
            Contestant(tangent_name(count), partial(tangent, count), same_as=None if count == 1 else TANGENT)
            for count in directions
        ),
        Contestant(ADJOINT, partial(adjoint, False)),
        Contestant(ADJOINT_TWICE, partial(adjoint, True), same_as=ADJOINT),
    ]


def fewest_for_two_readings(tiles: int) -> int:
    """Return the fewest snapshots s by which no tile is read forwards more than twice: (s + 1)(s + 2) / 2 >= tiles."""
    return max(2, math.ceil((math.sqrt(8 * tiles + 1) - 3) / 2))


def _run_tangent(model: StreamingModel, codes: BaseCodes, direction: Direction, tile: int) -> Tensor:
    """The derivative along the first direction, (L, C)."""
    return torch.cat([part.y_dot[0] for part in tangent_sweep(model, codes, direction, end=len(codes), tile=tile)])


def _run_adjoint(model: StreamingModel, codes: BaseCodes, objective: Objective, tile: int, snapshots: int) -> Tensor:
    """The gradient, (L, 4)."""
    state_bytes = adjoint_sweep(model, codes, objective, end=len(codes), tile=tile).schedule.state_bytes
    sweep = adjoint_sweep(model, codes, objective, end=len(codes), tile=tile, budget=max(2, snapshots) * state_bytes)
    return torch.cat([part.x_bar[:, :4] for part in sweep][::-1])
