"""One Mamba block: pre-norm, projection, causal convolution, selective scan, gate, projection.

Beside the definition in differentiable torch stand its analytic tangent, on stacks (see ``core.ops``), and its adjoint,
which goes back over what ``trace`` kept of the tile.

Source: Gu & Dao 2023; arithmetic and tensor names of the mamba_ssm and Hugging Face implementations.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pgf_cli.core.models.branch import Mixer, MixerAdjoint
from pgf_cli.core.models.embedding import NONE, UNSAID, Count
from pgf_cli.core.models.norms import make_norm
from pgf_cli.core.models.stack import Block
from pgf_cli.core.ops import causal_conv, selective_scan
from pgf_cli.core.ops.linear import Linear, linear, linear_jvp, weight_vjp
from pgf_cli.core.ops.selective_scan import Scan


@dataclass(frozen=True)
class MambaSizes:
    """Sizes of a language model of Mamba mixers, whichever way they are put together."""

    d_model: int
    """Model width D."""
    n_layer: int
    d_inner: int
    """Width E inside a block, usually 2 D."""
    d_state: int
    """State size N per inner channel."""
    d_conv: int
    """Taps of the causal convolution."""
    dt_rank: int
    """Rank of the step-size projection."""
    vocab_size: int
    """Rows of the embedding and of the head, padding included; of a one-hot input, its tracks."""
    norm_eps: float = 1e-5
    projection_bias: bool = False
    """Whether in_proj and out_proj have a bias."""
    conv_bias: bool = True
    head: bool = True
    """Whether there is a language-model head; without it the output is ``hidden``."""
    tied: bool = True
    """Whether the head is the embedding."""


@dataclass(frozen=True)
class MambaConfig(MambaSizes):
    """Sizes of a causal Mamba language model."""

    labels: Count = field(default=NONE, metadata=UNSAID)
    """How many scores a classification or regression head gives; 0: there is none."""
    pools_last: bool = field(default=False, metadata=UNSAID)
    """Whether that head reads the last base's hidden state; else the mean over all."""
    layer_norm: bool = field(default=False, metadata=UNSAID)
    """Whether the norms are LayerNorms, with a bias."""
    one_hot: bool = field(default=False, metadata=UNSAID)
    """Whether the input is a linear map, with a bias, of tracks: A, C, G, T, then others that are read as 0."""


class LayerState(NamedTuple):
    """What one layer hands to the next tile."""

    last: Tensor
    """The convolution's last inputs, (taps - 1, E)."""
    h: Tensor
    """The recurrence's state, (E, N)."""


class MixerTrace(NamedTuple):
    """What the way back over a tile needs of the way there."""

    state: LayerState
    """The state before the tile."""
    x: Tensor
    """Input, (T, D)."""
    u: Tensor
    """Input of the convolution, (T, E)."""
    low: Tensor
    """Input of dt_proj, (T, R)."""
    scan: Scan
    edges: Tensor | None
    y: Tensor
    """Output of the scan, (T, E)."""


class MambaMixer(Mixer):
    """A Mamba block without its norm and residual connection."""

    def __init__(self, config: MambaSizes) -> None:
        super().__init__()
        E, N, R, D = config.d_inner, config.d_state, config.dt_rank, config.d_model
        self.splits = [R, N, N]
        self.in_proj = Linear(D, 2 * E, bias=config.projection_bias)
        self.conv1d = nn.Conv1d(E, E, config.d_conv, groups=E, bias=config.conv_bias)
        self.x_proj = Linear(E, R + 2 * N, bias=False)
        self.dt_proj = Linear(R, E)
        # Not expanded and cloned: for that torch imports sympy on the device "meta", where every checkpoint is fitted.
        self.A_log = nn.Parameter(torch.tensor([math.log(n) for n in range(1, N + 1)] * E).view(E, N))
        self.D = nn.Parameter(torch.ones(E))
        self.out_proj = Linear(E, D, bias=config.projection_bias)

    def initial_state(self) -> LayerState:
        """Return zeros."""
        inner, _, taps = self.conv1d.weight.shape
        return LayerState(self.D.new_zeros(taps - 1, inner), torch.zeros_like(self.A_log))

    def forward(self, x: Tensor, state: LayerState) -> tuple[Tensor, LayerState]:
        """Map x (T, D) and the state before the tile to the output (T, D) and the state after."""
        u, z = self.in_proj(x).chunk(2, dim=-1)
        u, last = causal_conv.reference.forward(u, *self._conv, state.last)
        low, B, C = torch.split(self.x_proj(u), self.splits, dim=-1)
        scan = Scan(self.dt_proj(low), -torch.exp(self.A_log), B, C, self.D, u, z, state.h)
        y, h = selective_scan.reference.forward(scan)
        return self.out_proj(y), LayerState(last, h)

    def jvp(self, stack: Tensor, state: LayerState, state_dot: LayerState) -> tuple[Tensor, LayerState, LayerState]:
        """The same for a stack (1 + K, T, D); K tangents of the state go in and come out."""
        u, z = (linear_jvp(stack, weight, bias) for weight, bias in self._in_halves())
        last = torch.cat([state.last[None], state_dot.last])
        u, last = causal_conv.jvp(u, *self._conv, last)
        low, B, C = torch.split(linear(u, self.x_proj.weight), self.splits, dim=-1)
        step = linear_jvp(low, self.dt_proj.weight, self.dt_proj.bias)
        A, D = -torch.exp(self.A_log), self.D
        primal = Scan(step[0], A, B[0], C[0], D, u[0], z[0], state.h)
        dot = Scan(step[1:], A, B[1:], C[1:], D, u[1:], z[1:], state_dot.h)
        scanned = selective_scan.jvp(primal, dot)
        out = linear_jvp(scanned.y, self.out_proj.weight, self.out_proj.bias)
        return out, LayerState(last[0], scanned.h), LayerState(last[1:], scanned.h_dot)

    def trace(self, x: Tensor, state: LayerState) -> tuple[Tensor, LayerState, MixerTrace]:
        """The same as ``forward`` by the fast path, keeping what ``vjp`` needs."""
        u, z = (linear(x, weight, bias) for weight, bias in self._in_halves())
        v, last = causal_conv.forward(u, *self._conv, state.last)
        low, B, C = torch.split(linear(v, self.x_proj.weight), self.splits, dim=-1)
        step = linear(low, self.dt_proj.weight, self.dt_proj.bias)
        scan = Scan(step, -torch.exp(self.A_log), B, C, self.D, v, z, state.h)
        y, h, edges = selective_scan.forward(scan)
        out = linear(y, self.out_proj.weight, self.out_proj.bias)
        return out, LayerState(last, h), MixerTrace(state, x, u, low, scan, edges, y)

    def vjp(self, trace: MixerTrace, out_bar: Tensor, after_bar: LayerState, *, parameters: bool) -> MixerAdjoint:
        """Return the gradients, given those of the output (T, D) and of the state after the tile."""
        scan = selective_scan.vjp(trace.scan, trace.edges, linear(out_bar, self.out_proj.weight.T), after_bar.h)
        mapped_bar = torch.cat([linear(scan.step, self.dt_proj.weight.T), scan.B, scan.C], dim=-1)
        v_bar = scan.u + linear(mapped_bar, self.x_proj.weight.T)
        conv = causal_conv.vjp(trace.u, *self._conv, trace.state.last, v_bar, after_bar.last)
        bars: dict[str, Tensor] = {}
        if parameters:
            bars = {
                "in_proj.weight": torch.cat([weight_vjp(trace.x, conv.x), weight_vjp(trace.x, scan.z)]),
                "in_proj.bias": torch.cat([conv.x.sum(0), scan.z.sum(0)]),
                "conv1d.weight": conv.weight[:, None],
                "conv1d.bias": conv.bias,
                "x_proj.weight": weight_vjp(trace.scan.u, mapped_bar),
                "dt_proj.weight": weight_vjp(trace.low, scan.step),
                "dt_proj.bias": scan.step.sum(0),
                "A_log": scan.A * trace.scan.A,
                "D": scan.D,
                "out_proj.weight": weight_vjp(trace.y, out_bar),
                "out_proj.bias": out_bar.sum(0),
            }
        (u_weight, _), (z_weight, _) = self._in_halves()
        x_bar = linear(conv.x, u_weight.T).add_(linear(scan.z, z_weight.T))
        return MixerAdjoint(x_bar, LayerState(conv.last, scan.h), bars)

    @property
    def _conv(self) -> tuple[Tensor, Tensor | None]:
        """Weights (E, taps) and bias of the convolution."""
        return self.conv1d.weight[:, 0], self.conv1d.bias

    def _in_halves(self) -> tuple[tuple[Tensor, Tensor | None], tuple[Tensor, Tensor | None]]:
        """in_proj for u and for the gate z: apart, so that each result is contiguous for the compiled loops."""
        u_weight, z_weight = self.in_proj.weight.chunk(2)
        if self.in_proj.bias is None:
            return (u_weight, None), (z_weight, None)
        u_bias, z_bias = self.in_proj.bias.chunk(2)
        return (u_weight, u_bias), (z_weight, z_bias)


class MambaBlock(Block):
    """Pre-norm residual block."""

    mixer: MambaMixer

    def __init__(self, config: MambaConfig) -> None:
        super().__init__()
        self.norm = make_norm(config.d_model, config.norm_eps, layer_norm=config.layer_norm)
        self.mixer = MambaMixer(config)
