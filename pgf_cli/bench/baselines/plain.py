"""The same derivatives by torch's own differentiation of a loop over time: what one writes without this tool."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from math import isqrt

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from pgf_cli.bench.baselines.ours import ADJOINT, TANGENT
from pgf_cli.bench.framework.contestants import Contestant, Derivation, on_torch_threads
from pgf_cli.bench.subjects.random_models import random_bases
from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.directions import Contrast
from pgf_cli.core.models import FrechetModel, StreamingModel
from pgf_cli.core.models.protocol import State
from pgf_cli.core.objectives import Objective
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.threads import flush_denormals

AUTOGRAD, CHECKPOINTING, TORCH_FUNC = "autograd", "checkpointing", "torch.func, tiled"

PIECE = 64
"""Bases to a call of ``forward`` under plain autograd: the graph is the whole sequence's, but the gradient of ``x[t]``,
an array of zeros as long as x, would make one call for all cost the square of the length."""

Read = Callable[[Tensor, State], tuple[Tensor, State]]


def plain(
    model: StreamingModel, objective: Callable[[], Objective], seed: int, tile: int, threads: int
) -> list[Contestant]:
    """Return autograd through the model's definition, checkpointing of it, and torch.func tile by tile.

    Args:
        model: without lookahead.
        objective: makes what the gradients are of.
        seed: of the bases.
        tile: of torch.func's sweep.
        threads: of torch.
    """

    def gradient(pieces: Callable[[int], int], read: Read, length: int) -> Derivation:
        codes = random_bases(length, seed)
        work = partial(_gradient, model, codes, objective(), pieces(length), read)
        return on_torch_threads(threads, work)

    def forward_mode(length: int) -> Derivation:
        return on_torch_threads(threads, partial(_torch_func, model, random_bases(length, seed), tile))

    def recomputed(x: Tensor, state: State) -> tuple[Tensor, State]:
        result: tuple[Tensor, State] = checkpoint(model.forward, x, state, use_reentrant=False)
        return result

    return [
        Contestant(AUTOGRAD, partial(gradient, lambda _: PIECE, model.forward), same_as=ADJOINT, rival=True),
        Contestant(CHECKPOINTING, partial(gradient, _root, recomputed), same_as=ADJOINT, rival=True),
        Contestant(TORCH_FUNC, forward_mode, same_as=TANGENT, rival=True),
    ]


def plain_frechet(model: FrechetModel, seed: int, threads: int) -> Contestant:
    """Return reverse-mode autograd of the sum of outputs through a plain loop over a Frechet operator."""

    def prepare(length: int) -> Derivation:
        return on_torch_threads(threads, partial(_frechet_gradient, model, random_bases(length, seed)))

    return Contestant(AUTOGRAD, prepare, same_as=ADJOINT, rival=True)


def _root(length: int) -> int:
    """Bases per segment that store the least: as many segments as each has bases."""
    return max(1, isqrt(length))


def _gradient(model: StreamingModel, codes: BaseCodes, objective: Objective, piece: int, read: Read) -> Tensor:
    """The gradient with respect to the one-hot bases, (L, 4)."""
    x = one_hot(codes, model.dtype, model.device).requires_grad_()
    state, rows = model.initial_state(x[:0]), []
    for part in torch.split(x, piece):
        y, state = read(part, state)
        rows.append(y)
    phi = (objective.weights(0, codes, None) * torch.cat(rows)).sum()
    return torch.autograd.grad(phi, x)[0][:, :4]


def _torch_func(model: StreamingModel, codes: BaseCodes, tile: int) -> Tensor:
    """The derivative along the contrast, (L, C), by the sweep with a model that knows no analytic form."""
    x = one_hot(codes, model.dtype, model.device)
    v = Contrast().tangents(0, x)
    rows = []
    with torch.no_grad(), flush_denormals():
        state, state_dot = StreamingModel.initial_jvp(model, x[:0], v[:, :0])
        for first, last in pairwise([*range(0, len(x), tile), len(x)]):
            dual = StreamingModel.jvp(model, x[first:last], v[:, first:last], state, state_dot)
            state, state_dot = dual.state, dual.state_dot
            rows.append(dual.y_dot[0])
    return torch.cat(rows)


def _frechet_gradient(model: FrechetModel, codes: BaseCodes) -> Tensor:
    """The gradient of the sum of all outputs with respect to the one-hot bases, (L, 4)."""
    x = one_hot(codes, model.dtype, model.device)[:, :4].requires_grad_()
    u = x @ model.embed.weight
    A = -torch.exp(model.A_log)
    steps = zip(
        functional.softplus(model.dt_proj(u)).unbind(),
        model.B_proj(u).unbind(),
        model.C_proj(u).unbind(),
        u.unbind(),
        strict=True,
    )
    h, rows = model.initial_state(functional.pad(x[: model.lookahead], (0, 1))), []
    for delta_t, B_t, C_t, u_t in steps:
        z = delta_t[:, None] * A
        h = torch.exp(z) * h + torch.expm1(z) / z * B_t * u_t[:, None]
        rows.append(h @ C_t + model.D * u_t)
    y = functional.softplus(torch.stack(rows)) * model.redshift_scale.clamp(min=0.5)
    return torch.autograd.grad(y.sum(), x)[0]
