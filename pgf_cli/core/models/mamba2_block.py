"""One Mamba-2 block: pre-norm, projection, causal convolution over u, B and C together, scan, gated norm, projection.

The recurrence has one decay per head, so that within a chunk of bases it is a masked matrix product:

    S_t = exp(delta_t A) S_(t-1) + delta_t u_t (x) B_t,    y_t = S_t C_t + D u_t        (S: head_dim x N, per head)

Source: Dao & Gu 2024 (state space duality, section 6); arithmetic and tensor names of the mamba_ssm and Hugging Face
implementations. The gate comes before the norm, as in all published checkpoints; ``norm_before_gate`` is not offered.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from pgf_cli.core.models.branch import Mixer
from pgf_cli.core.models.norms import RMSNorm
from pgf_cli.core.models.stack import Block
from pgf_cli.core.ops import causal_conv, rms_norm
from pgf_cli.errors import PgfError

CHUNK = 64
"""Bases whose effects on each other are one product: it grows with their square, and the loop over chunks shrinks."""


class Mamba2SizesError(PgfError, ValueError):
    """The heads cannot be shared out evenly among the groups."""

    def __init__(self, heads: int, groups: int) -> None:
        super().__init__(
            f"A Mamba-2 of {heads} heads in {groups} groups has no whole number of heads in a group: "
            "set groups to a divisor of heads."
        )


@dataclass(frozen=True, kw_only=True)
class Mamba2Config:
    """Sizes of a Mamba-2 language model."""

    d_model: int
    """Model width D."""
    n_layer: int
    heads: int
    head_dim: int
    """Channels of one head; heads times head_dim is the width E inside a block, usually 2 D."""
    d_state: int
    """State size N per inner channel."""
    groups: int = 1
    """How many B and C there are: consecutive heads share one. The gated norm is taken over a group's channels."""
    d_conv: int = 4
    """Taps of the causal convolution."""
    vocab_size: int
    """Rows of the embedding and of the head, padding included."""
    norm_eps: float = 1e-5
    projection_bias: bool = False
    """Whether in_proj and out_proj have a bias."""
    conv_bias: bool = True
    delta_limits: tuple[float, float] = (0.0, math.inf)
    """What step sizes are clamped to, after softplus."""
    head: bool = True
    """Whether there is a language-model head; without it the output is ``hidden``."""
    tied: bool = True
    """Whether the head is the embedding."""

    def __post_init__(self) -> None:
        if self.heads % self.groups:
            raise Mamba2SizesError(self.heads, self.groups)

    @property
    def d_inner(self) -> int:
        """Width E inside a block."""
        return self.heads * self.head_dim


class Mamba2LayerState(NamedTuple):
    """What one layer hands to the next tile."""

    last: Tensor
    """The convolution's last inputs, (taps - 1, E + 2 groups N): those of u, B and C."""
    h: Tensor
    """The recurrence's state, (heads, head_dim, N)."""


def chunked_scan(
    delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, u: Tensor, h: Tensor
) -> tuple[Tensor, Tensor]:
    """Read one tile: products within chunks of 64 bases, a step of the state from chunk to chunk.

    Args:
        delta: step sizes after softplus and limits, (T, heads).
        A: one negative number a head, (heads,).
        B, C: input and output maps, (T, groups, N).
        D: skip weights, (heads,).
        u: inputs, (T, heads, head_dim).
        h: state before the tile, (heads, head_dim, N).

    Returns:
        y (T, heads, head_dim) and the state after the tile.

    Source: Dao & Gu 2024, section 6. Letters of the products: chunk c, source base s, target base t, group g, head in
    the group r, channel of the head p, state n.
    """
    length, groups = B.shape[:2]
    chunk = min(CHUNK, length)

    def cut(rows: Tensor) -> Tensor:
        """(T, ...) to (chunks, chunk, ...). Rows of zeros fill the last chunk: they neither decay nor add."""
        missing = rows.new_zeros(-length % chunk, *rows.shape[1:])
        return torch.unflatten(torch.cat([rows, missing]), 0, (-1, chunk))

    log_decay = torch.unflatten(cut(delta * A), 2, (groups, -1)).permute(0, 2, 3, 1)
    within = _decays_within(log_decay)
    fed = torch.unflatten(cut(delta[..., None] * u), 2, (groups, -1))
    B, C = cut(B), cut(C)

    scores = torch.einsum("csgn,ctgn->cgst", B, C)[:, :, None] * within
    near = torch.einsum("cgrst,csgrp->ctgrp", scores, fed)
    gain = torch.einsum("csgn,csgrp->cgrpn", B, fed * _beside_channels(within[..., -1]))
    before, after = _chunk_states(log_decay.sum(-1), gain, torch.unflatten(h, 0, (groups, -1)))
    far = torch.einsum("ctgn,cgrpn->ctgrp", C, before) * _beside_channels(log_decay.cumsum(-1).exp())

    y = (near + far).flatten(2, 3).flatten(0, 1)[:length] + D[:, None] * u
    return y, after.flatten(0, 1)


def _decays_within(log_decay: Tensor) -> Tensor:
    """exp of the sum of log_decay (..., chunk) over s < r <= t, (..., s, t); 0 where t is left of s.

    Each sum is taken by itself: a difference of two cumulative sums loses what a stiff step in both drowns.
    """
    chunk = log_decay.shape[-1]
    steps = log_decay[..., None, :].expand(*log_decay.shape, chunk).triu(1)
    return steps.cumsum(-1).exp().triu()


def _beside_channels(decay: Tensor) -> Tensor:
    """Turn (c, g, r, s) into (c, s, g, r, 1)."""
    return decay.permute(0, 3, 1, 2)[..., None]


def _chunk_states(log_decay: Tensor, gain: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """The states before every chunk, (chunks, ...), and after the last, for (chunks, g, r) and (chunks, g, r, p, n)."""
    # Not exp(.) h + gain: near 1 that keeps too few digits of a slow decay in float32.
    shrink = torch.expm1(log_decay)[..., None, None]
    before = []
    for shrink_here, gain_here in zip(shrink.unbind(), gain.unbind(), strict=True):
        before.append(h)
        h = h + (shrink_here * h + gain_here)
    return torch.stack(before), h


class Mamba2Mixer(Mixer):
    """A Mamba-2 block without its norm and residual connection."""

    def __init__(self, config: Mamba2Config) -> None:
        super().__init__()
        self.config = config
        E, D, H = config.d_inner, config.d_model, config.heads
        maps = config.groups * config.d_state
        self.conv_splits = [E, maps, maps]
        convolved = sum(self.conv_splits)
        self.in_splits = [E, convolved, H]
        self.in_proj = nn.Linear(D, sum(self.in_splits), bias=config.projection_bias)
        self.conv1d = nn.Conv1d(convolved, convolved, config.d_conv, groups=convolved, bias=config.conv_bias)
        # As mamba_ssm begins: delta log-uniform in 0.001 to 0.1, through the inverse of softplus, and A in -16 to -1.
        delta = torch.empty(H).uniform_(math.log(1e-3), math.log(1e-1)).exp()
        self.dt_bias = nn.Parameter(torch.expm1(delta).log())
        self.A_log = nn.Parameter(torch.empty(H).uniform_(1, 16).log())
        self.D = nn.Parameter(torch.ones(H))
        self.norm = RMSNorm(E, config.norm_eps)
        self.out_proj = nn.Linear(E, D, bias=config.projection_bias)

    def initial_state(self) -> Mamba2LayerState:
        """Return zeros."""
        config, (convolved, _, taps) = self.config, self.conv1d.weight.shape
        h = self.D.new_zeros(config.heads, config.head_dim, config.d_state)
        return Mamba2LayerState(self.D.new_zeros(taps - 1, convolved), h)

    def forward(self, x: Tensor, state: Mamba2LayerState) -> tuple[Tensor, Mamba2LayerState]:
        """Map x (T, D) and the state before the tile to the output (T, D) and the state after."""
        z, uBC, step = torch.split(self.in_proj(x), self.in_splits, dim=-1)
        uBC, last = causal_conv.reference.forward(uBC, self.conv1d.weight[:, 0], self.conv1d.bias, state.last)
        u, B, C = torch.split(uBC, self.conv_splits, dim=-1)
        delta = functional.softplus(step + self.dt_bias).clamp(*self.config.delta_limits)
        u = torch.unflatten(u, 1, (self.config.heads, -1))
        B, C = (torch.unflatten(maps, 1, (self.config.groups, -1)) for maps in (B, C))
        y, h = chunked_scan(delta, -torch.exp(self.A_log), B, C, self.D, u, state.h)
        return self.out_proj(self._gated_norm(y.flatten(1), z)), Mamba2LayerState(last, h)

    def _gated_norm(self, y: Tensor, z: Tensor) -> Tensor:
        """Gate y (T, E) by z (T, E), then normalise each group's channels."""
        groups = self.config.groups
        gated = torch.unflatten(y * functional.silu(z), 1, (groups, -1))
        weight = torch.unflatten(self.norm.weight, 0, (groups, -1))
        return rms_norm.reference.forward(gated, weight, self.norm.eps).flatten(1)


class Mamba2Block(Block):
    """Pre-norm residual block."""

    def __init__(self, config: Mamba2Config) -> None:
        super().__init__()
        self.norm = RMSNorm(config.d_model, config.norm_eps)
        self.mixer = Mamba2Mixer(config)
