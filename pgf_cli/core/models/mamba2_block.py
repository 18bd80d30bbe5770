"""One Mamba-2 block: pre-norm, projection, causal convolution over u, B and C together, scan, gated norm, projection.

The recurrence has one decay per head:

    S_t = exp(delta_t A) S_(t-1) + delta_t u_t (x) B_t,    y_t = S_t C_t + D u_t        (S: head_dim x N, per head)

Beside the definition in differentiable torch stand its analytic tangent, on stacks (see ``core.ops``), and its adjoint,
which goes back over what ``trace`` kept of the tile.

Source: Dao & Gu 2024; arithmetic and tensor names of the mamba_ssm and Hugging Face implementations. The gate comes
before the norm, as in all published checkpoints; ``norm_before_gate`` is not offered.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from pgf_cli.core.models.branch import Mixer, MixerAdjoint
from pgf_cli.core.models.gates import GatedNorm, SiluGate
from pgf_cli.core.models.norms import RMSNorm
from pgf_cli.core.models.stack import Block
from pgf_cli.core.ops import causal_conv, ssd_scan
from pgf_cli.core.ops.activations import softplus_jvp, softplus_vjp
from pgf_cli.core.ops.linear import Linear, linear, linear_jvp, weight_vjp
from pgf_cli.core.ops.ssd_scan import Scan
from pgf_cli.errors import PgfError


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
    delta_min: float | None = None
    """What step sizes are raised to, after softplus; None: no limit."""
    delta_max: float | None = None
    """What step sizes are lowered to, after softplus; None: no limit."""
    gated_norm: bool = True
    """Whether there is a norm after the gate."""
    skip_per_channel: bool = False
    """Whether D has a weight for each channel, not for each head."""
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


def in_width(config: Mamba2Config) -> int:
    """Return the width of in_proj's result, for z, u, B, C and the step sizes."""
    return 2 * (config.d_inner + config.groups * config.d_state) + config.heads


class Mamba2LayerState(NamedTuple):
    """What one layer hands to the next tile."""

    last: Tensor
    """The convolution's last inputs, (taps - 1, E + 2 groups N): those of u, B and C."""
    h: Tensor
    """The recurrence's state, (heads, head_dim, N)."""


class Mamba2Trace(NamedTuple):
    """What the way back over a tile needs of the way there."""

    state: Mamba2LayerState
    """The state before the tile."""
    x: Tensor
    """Input, (T, D)."""
    conv_in: Tensor
    """Input of the convolution, (T, E + 2 groups N)."""
    step: Tensor
    """Step sizes before softplus, (T, heads)."""
    z: Tensor
    """Gates before SiLU, (T, E)."""
    scan: Scan
    edges: Tensor | None
    y: Tensor
    """Output of the scan, (T, E)."""
    gated: Tensor
    """Input of out_proj, (T, E)."""


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
        self.in_proj = Linear(D, sum(self.in_splits), bias=config.projection_bias)
        self.conv1d = nn.Conv1d(convolved, convolved, config.d_conv, groups=convolved, bias=config.conv_bias)
        # As mamba_ssm begins: delta log-uniform in 0.001 to 0.1, through the inverse of softplus, and A in -16 to -1.
        delta = torch.empty(H).uniform_(math.log(1e-3), math.log(1e-1)).exp()
        self.dt_bias = nn.Parameter(torch.expm1(delta).log())
        self.A_log = nn.Parameter(torch.empty(H).uniform_(1, 16).log())
        self.D = nn.Parameter(torch.ones(E if config.skip_per_channel else H))
        self.norm: GatedNorm | SiluGate = (
            GatedNorm(E, config.groups, config.norm_eps) if config.gated_norm else SiluGate()
        )
        self.out_proj = Linear(E, D, bias=config.projection_bias)

    def initial_state(self) -> Mamba2LayerState:
        """Return zeros."""
        config, (convolved, _, taps) = self.config, self.conv1d.weight.shape
        h = self.D.new_zeros(config.heads, config.head_dim, config.d_state)
        return Mamba2LayerState(self.D.new_zeros(taps - 1, convolved), h)

    def forward(self, x: Tensor, state: Mamba2LayerState) -> tuple[Tensor, Mamba2LayerState]:
        """Map x (T, D) and the state before the tile to the output (T, D) and the state after."""
        z, uBC, step = torch.split(self.in_proj(x), self.in_splits, dim=-1)
        uBC, last = causal_conv.reference.forward(uBC, *self._conv, state.last)
        delta = self._limited(functional.softplus(step + self.dt_bias))
        y, h = ssd_scan.reference.forward(self._scan(delta, uBC, state.h))
        return self.out_proj(self.norm(y.flatten(1), z)), Mamba2LayerState(last, h)

    def jvp(
        self, stack: Tensor, state: Mamba2LayerState, state_dot: Mamba2LayerState
    ) -> tuple[Tensor, Mamba2LayerState, Mamba2LayerState]:
        """The same for a stack (1 + K, T, D); K tangents of the state go in and come out."""
        z, uBC, step = (linear_jvp(stack, weight, bias) for weight, bias in self._in_parts())
        uBC, last = causal_conv.jvp(uBC, *self._conv, torch.cat([state.last[None], state_dot.last]))
        delta = softplus_jvp(step)
        delta[1:] *= self._free(delta[0])
        delta[0] = self._limited(delta[0])
        primal, dot = self._scan(delta[0], uBC[0], state.h), self._scan(delta[1:], uBC[1:], state_dot.h)
        scanned = ssd_scan.jvp(primal, dot)
        gated = self.norm.jvp(scanned.y.flatten(2), z)
        out = linear_jvp(gated, self.out_proj.weight, self.out_proj.bias)
        return out, Mamba2LayerState(last[0], scanned.h), Mamba2LayerState(last[1:], scanned.h_dot)

    def trace(self, x: Tensor, state: Mamba2LayerState) -> tuple[Tensor, Mamba2LayerState, Mamba2Trace]:
        """The same as ``forward`` by the fast path, keeping what ``vjp`` needs."""
        z, uBC, step = (linear(x, weight, bias) for weight, bias in self._in_parts())
        convolved, last = causal_conv.forward(uBC, *self._conv, state.last)
        scan = self._scan(self._limited(functional.softplus(step)), convolved, state.h)
        y, h, edges = ssd_scan.forward(scan)
        y = y.flatten(1)
        gated = self.norm.fast(y, z)
        out = linear(gated, self.out_proj.weight, self.out_proj.bias)
        return out, Mamba2LayerState(last, h), Mamba2Trace(state, x, uBC, step, z, scan, edges, y, gated)

    def vjp(
        self, trace: Mamba2Trace, out_bar: Tensor, after_bar: Mamba2LayerState, *, parameters: bool
    ) -> MixerAdjoint:
        """Return the gradients, given those of the output (T, D) and of the state after the tile."""
        gate = self.norm.vjp(trace.y, trace.z, linear(out_bar, self.out_proj.weight.T))
        scan = ssd_scan.vjp(trace.scan, trace.edges, gate.y.view(trace.scan.u.shape), after_bar.h)
        convolved_bar = torch.cat([scan.u.flatten(1), scan.B.flatten(1), scan.C.flatten(1)], dim=-1)
        conv = causal_conv.vjp(trace.conv_in, *self._conv, trace.state.last, convolved_bar, after_bar.last)
        step_bar = softplus_vjp(trace.step, scan.delta * self._free(functional.softplus(trace.step)))
        part_bars = (gate.z, conv.x, step_bar)
        bars: dict[str, Tensor] = {}
        if parameters:
            bars = {
                "in_proj.weight": torch.cat([weight_vjp(trace.x, bar) for bar in part_bars]),
                "in_proj.bias": torch.cat([bar.sum(0) for bar in part_bars]),
                "conv1d.weight": conv.weight[:, None],
                "conv1d.bias": conv.bias,
                "dt_bias": step_bar.sum(0),
                "A_log": scan.A * trace.scan.A,
                "D": scan.D.flatten() if self.config.skip_per_channel else scan.D.sum(1),
                **{f"norm.{name}": bar for name, bar in gate.parameters.items()},
                "out_proj.weight": weight_vjp(trace.gated, out_bar),
                "out_proj.bias": out_bar.sum(0),
            }
        weights = [weight for weight, _ in self._in_parts()]
        x_bar = linear(gate.z, weights[0].T)
        for bar, weight in zip(part_bars[1:], weights[1:], strict=True):
            x_bar += linear(bar, weight.T)
        return MixerAdjoint(x_bar, Mamba2LayerState(conv.last, scan.h), bars)

    @property
    def _conv(self) -> tuple[Tensor, Tensor | None]:
        """Weights (E + 2 groups N, taps) and bias of the convolution."""
        return self.conv1d.weight[:, 0], self.conv1d.bias

    def _in_parts(self) -> list[tuple[Tensor, Tensor | None]]:
        """in_proj for z, for u with B and C, and for step with its bias: apart, so that each result is contiguous."""
        weights = torch.split(self.in_proj.weight, self.in_splits)
        if self.in_proj.bias is None:
            return list(zip(weights, (None, None, self.dt_bias), strict=True))
        z_bias, uBC_bias, step_bias = torch.split(self.in_proj.bias, self.in_splits)
        return list(zip(weights, (z_bias, uBC_bias, step_bias + self.dt_bias), strict=True))

    def _scan(self, delta: Tensor, uBC: Tensor, h: Tensor) -> Scan:
        """The scan's arguments, or their tangents with a leading K, of which A and D have none."""
        config = self.config
        u, B, C = torch.split(uBC, self.conv_splits, dim=-1)
        u = torch.unflatten(u, -1, (config.heads, -1))
        B, C = (torch.unflatten(maps, -1, (config.groups, -1)) for maps in (B, C))
        D = self.D.view(config.heads, -1).expand(-1, config.head_dim)
        return Scan(delta, -torch.exp(self.A_log), B, C, D, u, h)

    def _limited(self, delta: Tensor) -> Tensor:
        least, most = self.config.delta_min, self.config.delta_max
        return delta if least is None and most is None else delta.clamp(least, most)

    def _free(self, delta: Tensor) -> Tensor:
        """1 where a step size (T, heads) is within its limits, else 0: a derivative along it is none there."""
        return (self._limited(delta) == delta).to(delta.dtype)


class Mamba2Block(Block):
    """Pre-norm residual block."""

    mixer: Mamba2Mixer

    def __init__(self, config: Mamba2Config) -> None:
        super().__init__()
        self.norm = RMSNorm(config.d_model, config.norm_eps)
        self.mixer = Mamba2Mixer(config)
