"""A block of Kimi delta attention: short convolutions, unit queries and keys, the gated delta rule; then a SwiGLU.

    q, k = unit(conv(W x)) per head,    v = conv(W x),    beta = sigmoid(W x + b)
    decay = -exp(A_log) softplus(W x + dt_bias),    out = W_o (delta rule of q, k, v, decay, beta)

The convolutions have no activation behind them, queries no factor of 1/sqrt(Dk), and the output no gate: as in the
Mnemos-DNA models, of which the published Kimi Linear differs in these.

Source: arXiv 2510.26692; arithmetic and tensor names of Mnemos-DNA's reference code (recall-bench 0.2.1, ``d01``).
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from pgf_cli.core.models.branch import Mixer, MixerAdjoint
from pgf_cli.core.models.mlp import SwiGLU
from pgf_cli.core.models.norms import RMSNorm
from pgf_cli.core.models.stack import Block
from pgf_cli.core.ops import delta_rule
from pgf_cli.core.ops.activations import softplus_jvp, softplus_vjp
from pgf_cli.core.ops.delta_rule import Rule
from pgf_cli.core.ops.linear import Linear, linear, linear_jvp, weight_vjp
from pgf_cli.errors import PgfError

SHORTEST = 1e-12
"""Length of a query or key below which it is not made a unit vector."""

_BRANCHES = ("q", "k", "v")


class KdaSizesError(PgfError, ValueError):
    """The channels cannot be shared out evenly among the heads."""

    def __init__(self, d_model: int, heads: int) -> None:
        super().__init__(f"A KDA of {d_model} channels cannot have {heads} heads: set heads to a divisor of d_model.")


@dataclass(frozen=True, kw_only=True)
class KdaConfig:
    """Sizes of a language model of Kimi delta attention."""

    d_model: int
    """Model width D."""
    n_layer: int
    heads: int
    """Each with D / heads channels of queries, keys and values."""
    d_conv: int = 4
    """Taps of the short convolutions."""
    d_mlp: int
    """Width inside a SwiGLU."""
    vocab_size: int
    """Rows of the embedding and of the head, padding included."""
    norm_eps: float = 1e-6
    head: bool = True
    """Whether there is a language-model head; without it the output is ``hidden``."""
    tied: bool = True
    """Whether the head is the embedding."""

    def __post_init__(self) -> None:
        if self.d_model % self.heads:
            raise KdaSizesError(self.d_model, self.heads)


class ShortConv(nn.Module):
    """A causal convolution of each channel; its state is the last (taps - 1) inputs."""

    def __init__(self, channels: int, taps: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, taps, groups=channels)

    @property
    def reach(self) -> int:
        """How many inputs before its own an output reads."""
        return self.conv.weight.shape[2] - 1

    def forward(self, x: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (T, D) and the last inputs (taps - 1, D) to the output and the last inputs after, differentiably."""
        y, last = self._products(x, last)
        return y + self._bias, last

    def jvp(self, stack: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
        """The same for stacks (1 + K, T, D) and (1 + K, taps - 1, D)."""
        y, last = self._products(stack, last)
        y[0] += self._bias
        return y, last

    def vjp(self, x: Tensor, last: Tensor, y_bar: Tensor, last_bar: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the adjoints of x (T, D), of the last inputs before, and of the weight (D, 1, taps)."""
        length, weight = len(x), self.conv.weight[:, 0]
        read = torch.cat([last, x])
        read_bar = torch.cat([torch.zeros_like(x), last_bar])
        weight_bar = torch.empty_like(weight)
        for tap in range(weight.shape[1]):
            read_bar[tap : tap + length] += weight[:, tap] * y_bar
            weight_bar[:, tap] = (read[tap : tap + length] * y_bar).sum(0)
        return read_bar[self.reach :], read_bar[: self.reach], weight_bar[:, None]

    @property
    def _bias(self) -> Tensor:
        assert self.conv.bias is not None
        return self.conv.bias

    def _products(self, x: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
        length, weight = x.shape[-2], self.conv.weight[:, 0]
        read = torch.cat([last, x], dim=-2)
        y = weight[:, 0] * read[..., :length, :]
        for tap in range(1, weight.shape[1]):
            y = y + weight[:, tap] * read[..., tap : tap + length, :]
        # Not a view, which would keep the whole tile.
        return y, read[..., length:, :].clone()


class KdaState(NamedTuple):
    """What one layer hands to the next tile."""

    last: Tensor
    """Last inputs of the convolutions of q, k and v, (3, taps - 1, D)."""
    S: Tensor
    """State of the delta rule, (heads, Dk, Dv)."""


class KdaTrace(NamedTuple):
    """What the way back over a tile needs of the way there."""

    state: KdaState
    """The state before the tile."""
    x: Tensor
    """Input, (T, D)."""
    projected: tuple[Tensor, ...]
    """Inputs of the convolutions, (T, D) each."""
    q: Tensor
    """Before it is made a unit vector, (T, heads, Dk)."""
    k: Tensor
    step: Tensor
    """Step sizes before softplus, (T, D)."""
    rule: Rule
    edges: Tensor | None
    y: Tensor
    """Output of the delta rule, (T, D)."""


class KdaMixer(Mixer):
    """Kimi delta attention."""

    def __init__(self, config: KdaConfig) -> None:
        super().__init__()
        D, self.heads = config.d_model, config.heads
        self.q_proj, self.k_proj, self.v_proj = (Linear(D, D, bias=False) for _ in _BRANCHES)
        self.q_conv, self.k_conv, self.v_conv = (ShortConv(D, config.d_conv) for _ in _BRANCHES)
        self.alpha_proj = Linear(D, D, bias=False)
        self.A_log = nn.Parameter(torch.zeros(self.heads))
        self.dt_bias = nn.Parameter(torch.zeros(D))
        self.beta_proj = Linear(D, self.heads)
        self.o_proj = Linear(D, D, bias=False)

    def initial_state(self) -> KdaState:
        """Return zeros."""
        channels = len(self.dt_bias)
        size = channels // self.heads
        last = self.dt_bias.new_zeros(len(_BRANCHES), self.q_conv.reach, channels)
        return KdaState(last, self.dt_bias.new_zeros(self.heads, size, size))

    def forward(self, x: Tensor, state: KdaState) -> tuple[Tensor, KdaState]:
        """Map x (T, D) and the state before the tile to the output (T, D) and the state after."""
        made = [conv(proj(x), last) for proj, conv, last in zip(*self._branches(), state.last, strict=True)]
        q, k, v = (self._by_head(rows) for rows, _ in made)
        decay = self._rate() * functional.softplus(self.alpha_proj(x) + self.dt_bias)
        q, k = (functional.normalize(rows, dim=-1, eps=SHORTEST) for rows in (q, k))
        rule = Rule(q, k, v, self._by_head(decay), torch.sigmoid(self.beta_proj(x)), state.S)
        y, S = delta_rule.reference.forward(rule)
        return self.o_proj(y.flatten(1)), KdaState(torch.stack([last for _, last in made]), S)

    def jvp(self, stack: Tensor, state: KdaState, state_dot: KdaState) -> tuple[Tensor, KdaState, KdaState]:
        """The same for a stack (1 + K, T, D); K tangents of the state go in and come out."""
        lasts = torch.cat([state.last[None], state_dot.last]).transpose(0, 1)
        made = [
            conv.jvp(linear(stack, proj.weight), last)
            for proj, conv, last in zip(*self._branches(), lasts, strict=True)
        ]
        q, k, v = (self._by_head(rows) for rows, _ in made)
        q, k = _unit_jvp(q), _unit_jvp(k)
        step = linear(stack, self.alpha_proj.weight)
        step[0] += self.dt_bias
        decay = self._by_head(self._rate() * softplus_jvp(step))
        beta = linear_jvp(stack, self.beta_proj.weight, self.beta_proj.bias)
        open_gate = torch.sigmoid(beta[0])
        primal = Rule(q[0], k[0], v[0], decay[0], open_gate, state.S)
        beta_dot = open_gate * (1 - open_gate) * beta[1:]
        ruled = delta_rule.jvp(primal, Rule(q[1:], k[1:], v[1:], decay[1:], beta_dot, state_dot.S))
        last = torch.stack([last for _, last in made], dim=1)
        out = linear(ruled.y.flatten(2), self.o_proj.weight)
        return out, KdaState(last[0], ruled.S), KdaState(last[1:], ruled.S_dot)

    def trace(self, x: Tensor, state: KdaState) -> tuple[Tensor, KdaState, KdaTrace]:
        """The same as ``forward`` by the fast path, keeping what ``vjp`` needs."""
        projected = tuple(linear(x, proj.weight) for proj in self._branches()[0])
        made = [
            conv.jvp(rows[None], last[None])
            for rows, conv, last in zip(projected, self._branches()[1], state.last, strict=True)
        ]
        q, k, v = (self._by_head(rows[0]) for rows, _ in made)
        step = linear(x, self.alpha_proj.weight, self.dt_bias)
        decay = self._by_head(self._rate() * functional.softplus(step))
        beta = torch.sigmoid(linear(x, self.beta_proj.weight, self.beta_proj.bias))
        rule = Rule(_unit_jvp(q[None])[0], _unit_jvp(k[None])[0], v, decay, beta, state.S)
        ruled = delta_rule.forward(rule)
        y = ruled.y.flatten(1)
        after = KdaState(torch.cat([last for _, last in made]), ruled.S)
        trace = KdaTrace(state, x, projected, q, k, step, rule, ruled.edges, y)
        return linear(y, self.o_proj.weight), after, trace

    def vjp(self, trace: KdaTrace, out_bar: Tensor, after_bar: KdaState, *, parameters: bool) -> MixerAdjoint:
        """Return the gradients, given those of the output (T, D) and of the state after the tile."""
        x, rule = trace.x, trace.rule
        y_bar = self._by_head(linear(out_bar, self.o_proj.weight.T))
        bar = delta_rule.vjp(rule, trace.edges, y_bar, after_bar.S)
        rows_bars = (_unit_vjp(trace.q, rule.q, bar.q), _unit_vjp(trace.k, rule.k, bar.k), bar.v)
        convolved = [
            conv.vjp(rows, last, rows_bar.flatten(1), last_bar)
            for conv, rows, last, rows_bar, last_bar in zip(
                self._branches()[1], trace.projected, trace.state.last, rows_bars, after_bar.last, strict=True
            )
        ]
        decay_bar = bar.decay.flatten(1)
        step_bar = softplus_vjp(trace.step, self._rate() * decay_bar)
        beta_bar = bar.beta * rule.beta * (1 - rule.beta)
        x_bar = linear(step_bar, self.alpha_proj.weight.T).add_(linear(beta_bar, self.beta_proj.weight.T))
        for proj, (projected_bar, _, _) in zip(self._branches()[0], convolved, strict=True):
            x_bar += linear(projected_bar, proj.weight.T)
        bars: dict[str, Tensor] = {}
        if parameters:
            bars = {
                "alpha_proj.weight": weight_vjp(x, step_bar),
                "dt_bias": step_bar.sum(0),
                # The decay is proportional to exp(A_log).
                "A_log": (bar.decay * rule.decay).sum((0, 2)),
                "beta_proj.weight": weight_vjp(x, beta_bar),
                "beta_proj.bias": beta_bar.sum(0),
                "o_proj.weight": weight_vjp(trace.y, out_bar),
            }
            for name, rows_bar, (projected_bar, _, weight_bar) in zip(_BRANCHES, rows_bars, convolved, strict=True):
                bars[f"{name}_proj.weight"] = weight_vjp(x, projected_bar)
                bars[f"{name}_conv.conv.weight"] = weight_bar
                bars[f"{name}_conv.conv.bias"] = rows_bar.flatten(1).sum(0)
        return MixerAdjoint(x_bar, KdaState(torch.stack([last for _, last, _ in convolved]), bar.S), bars)

    def _branches(self) -> tuple[list[Linear], list[ShortConv]]:
        """Projections and convolutions of q, k and v."""
        return [self.q_proj, self.k_proj, self.v_proj], [self.q_conv, self.k_conv, self.v_conv]

    def _by_head(self, rows: Tensor) -> Tensor:
        """(..., D) as (..., heads, Dk)."""
        return rows.view(*rows.shape[:-1], self.heads, -1)

    def _rate(self) -> Tensor:
        """What step sizes are multiplied by, (D,), negative: one number a head."""
        return -torch.exp(self.A_log).repeat_interleave(len(self.dt_bias) // self.heads)


class KdaBlock(Block):
    """Two residual branches."""

    branch_names = (("attn_norm", "attn"), ("ffn_norm", "ffn"))

    def __init__(self, config: KdaConfig) -> None:
        super().__init__()
        self.attn_norm = RMSNorm(config.d_model, config.norm_eps)
        self.attn = KdaMixer(config)
        self.ffn_norm = RMSNorm(config.d_model, config.norm_eps)
        self.ffn = SwiGLU(config.d_model, config.d_mlp)


def _unit_jvp(stack: Tensor) -> Tensor:
    """The stack of rows / |rows| for a stack (1 + K, ..., Dk)."""
    length = torch.linalg.vector_norm(stack[0], dim=-1, keepdim=True).clamp_min(SHORTEST)
    unit, dot = stack[0] / length, stack[1:] / length
    return torch.cat([unit[None], dot - unit * _along(unit, dot, length)])


def _unit_vjp(rows: Tensor, unit: Tensor, unit_bar: Tensor) -> Tensor:
    """The adjoint of rows (..., Dk), given that of rows / |rows|."""
    length: Tensor = torch.linalg.vector_norm(rows, dim=-1, keepdim=True).clamp_min(SHORTEST)
    return (unit_bar - unit * _along(unit, unit_bar, length)) / length


def _along(unit: Tensor, rows: Tensor, length: Tensor) -> Tensor:
    """The part of rows along unit; none where the divisor does not depend on the row's length."""
    return (unit * rows).sum(-1, keepdim=True) * (length > SHORTEST)
