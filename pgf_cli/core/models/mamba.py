"""Mamba language models of any depth: embedding, pre-norm residual blocks, final norm, head.

    r_0 = x Emb;   r <- r + Mixer(RMSNorm(r)) per layer;   logits = RMSNorm(r) W^T

``forward`` is the definition in differentiable torch; ``jvp`` is its analytic derivative on stacks (see ``core.ops``).

Source: Gu & Dao 2023; arithmetic and tensor names of the mamba_ssm and Hugging Face implementations.
"""

from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.models.protocol import BaseIds, StreamingModel, TileDual
from pgf_cli.core.ops import causal_conv, rms_norm, selective_scan
from pgf_cli.core.ops.activations import silu_jvp, softplus_jvp
from pgf_cli.core.ops.linear import affine_jvp, linear
from pgf_cli.core.ops.selective_scan import Scan


@dataclass(frozen=True)
class MambaConfig:
    """Sizes of a Mamba language model."""

    channels: int
    """Model width D."""
    layers: int
    inner: int
    """Width E inside a block, usually 2 D."""
    state: int
    """State size N per inner channel."""
    conv: int
    """Taps of the causal convolution."""
    dt_rank: int
    """Rank of the step-size projection."""
    vocab: int
    """Rows of the embedding and of the head, padding included."""
    norm_eps: float = 1e-5
    projection_bias: bool = False
    """Whether in_proj and out_proj have a bias."""
    conv_bias: bool = True
    head: bool = True
    """Whether there is a language-model head; without it the output is ``hidden``."""
    tied: bool = True
    """Whether the head is the embedding."""


class LayerState(NamedTuple):
    """What one layer hands to the next tile."""

    last: Tensor
    """The convolution's last inputs, (taps - 1, E)."""
    h: Tensor
    """The recurrence's state, (E, N)."""


class Norm(nn.Module):
    """RMS normalisation with a weight per channel."""

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x (T, D)."""
        return rms_norm.forward(x, self.weight, self.eps)

    def jvp(self, stack: Tensor) -> Tensor:
        """Normalise a stack (1 + K, T, D)."""
        return rms_norm.jvp(stack, self.weight, self.eps)


class Mixer(nn.Module):
    """A Mamba block without its norm and residual connection."""

    def __init__(self, config: MambaConfig) -> None:
        super().__init__()
        E, N, R, D = config.inner, config.state, config.dt_rank, config.channels
        self.splits = [R, N, N]
        self.in_proj = nn.Linear(D, 2 * E, bias=config.projection_bias)
        self.conv1d = nn.Conv1d(E, E, config.conv, groups=E, bias=config.conv_bias)
        self.x_proj = nn.Linear(E, R + 2 * N, bias=False)
        self.dt_proj = nn.Linear(R, E)
        self.A_log = nn.Parameter(torch.arange(1.0, N + 1).log().repeat(E, 1))
        self.D = nn.Parameter(torch.ones(E))
        self.out_proj = nn.Linear(E, D, bias=config.projection_bias)

    def initial_state(self) -> LayerState:
        """Return zeros."""
        inner, _, taps = self.conv1d.weight.shape
        return LayerState(self.D.new_zeros(taps - 1, inner), torch.zeros_like(self.A_log))

    def forward(self, x: Tensor, state: LayerState) -> tuple[Tensor, LayerState]:
        """Map x (T, D) and the state before the tile to the output (T, D) and the state after."""
        u, z = self.in_proj(x).chunk(2, dim=-1)
        u, last = causal_conv.forward(u, self.conv1d.weight[:, 0], self.conv1d.bias, state.last)
        low, B, C = torch.split(self.x_proj(u), self.splits, dim=-1)
        delta = functional.softplus(self.dt_proj(low))
        y, h = selective_scan.reference.forward(Scan(delta, -torch.exp(self.A_log), B, C, self.D, u, state.h))
        return self.out_proj(y * functional.silu(z)), LayerState(last, h)

    def jvp(self, stack: Tensor, state: LayerState, state_dot: LayerState) -> tuple[Tensor, LayerState, LayerState]:
        """The same for a stack (1 + K, T, D); K tangents of the state go in and come out."""
        u, z = affine_jvp(stack, self.in_proj.weight, self.in_proj.bias).chunk(2, dim=-1)
        last = torch.cat([state.last[None], state_dot.last])
        u, last = causal_conv.jvp(u, self.conv1d.weight[:, 0], self.conv1d.bias, last)
        low, B, C = torch.split(linear(u, self.x_proj.weight), self.splits, dim=-1)
        delta = softplus_jvp(affine_jvp(low, self.dt_proj.weight, self.dt_proj.bias))
        A, D = -torch.exp(self.A_log), self.D
        primal = Scan(delta[0], A, B[0], C[0], D, u[0], state.h)
        dot = Scan(delta[1:], A, B[1:], C[1:], D, u[1:], state_dot.h)
        y, y_dot, h, h_dot = selective_scan.jvp(primal, dot)
        gate, gate_dot = silu_jvp(z[0], z[1:])
        gated = torch.cat([(y * gate)[None], y_dot * gate + y * gate_dot])
        out = affine_jvp(gated, self.out_proj.weight, self.out_proj.bias)
        return out, LayerState(last[0], h), LayerState(last[1:], h_dot)


class Block(nn.Module):
    """Pre-norm residual block."""

    def __init__(self, config: MambaConfig) -> None:
        super().__init__()
        self.norm = Norm(config.channels, config.norm_eps)
        self.mixer = Mixer(config)


class MambaLM(StreamingModel):
    """A causal Mamba language model over single-base tokens."""

    def __init__(self, config: MambaConfig, base_ids: BaseIds, output: OutputLayer) -> None:
        super().__init__()
        self.config = config
        self.base_ids = base_ids
        self.output = output
        self.reads_n = base_ids.n is not None
        self.embedding = nn.Embedding(config.vocab, config.channels)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm_f = Norm(config.channels, config.norm_eps)
        if config.head and not config.tied:
            self.lm_head = nn.Linear(config.channels, config.vocab, bias=False)

    @property
    def blocks(self) -> list[Block]:
        """The layers, typed."""
        return cast(list[Block], list(self.layers))

    @property
    def head_weight(self) -> Tensor:
        """The head's rows, (vocab, D)."""
        return self.embedding.weight if self.config.tied else self.lm_head.weight

    def initial_state(self, first: Tensor) -> tuple[LayerState, ...]:
        """Return zeros: nothing was read yet."""
        return tuple(block.mixer.initial_state() for block in self.blocks)

    def initial_jvp(self, first: Tensor, first_dot: Tensor) -> tuple[tuple[LayerState, ...], tuple[LayerState, ...]]:
        """Return zeros and their zero tangents."""
        state = self.initial_state(first)
        directions = first_dot.shape[0]
        zeros = (LayerState(*(part.new_zeros(directions, *part.shape) for part in layer)) for layer in state)
        return state, tuple(zeros)

    def forward(self, x: Tensor, state: tuple[LayerState, ...]) -> tuple[Tensor, tuple[LayerState, ...]]:
        """Read one tile; see ``StreamingModel.forward``."""
        r = x @ self._base_rows()
        after = []
        for block, layer in zip(self.blocks, state, strict=True):
            out, layer_after = block.mixer(block.norm(r), layer)
            r = r + out
            after.append(layer_after)
        hidden = self.norm_f(r)
        if self.output == "hidden":
            return hidden, tuple(after)
        logits = hidden @ self.head_weight.T
        if self.output == "logits":
            return logits, tuple(after)
        return functional.log_softmax(logits, dim=-1)[:, list(self.base_ids[:4])], tuple(after)

    def jvp(
        self, x: Tensor, x_dot: Tensor, state: tuple[LayerState, ...], state_dot: tuple[LayerState, ...]
    ) -> TileDual:
        """Read one tile and its K directions; see ``StreamingModel.jvp``."""
        r = linear(torch.cat([x[None], x_dot]), self._base_rows().T)
        after, after_dot = [], []
        for block, layer, layer_dot in zip(self.blocks, state, state_dot, strict=True):
            out, layer_after, layer_after_dot = block.mixer.jvp(block.norm.jvp(r), layer, layer_dot)
            r += out
            after.append(layer_after)
            after_dot.append(layer_after_dot)
        y = self._output_jvp(self.norm_f.jvp(r))
        return TileDual(y[0], y[1:], tuple(after), tuple(after_dot))

    def _base_rows(self) -> Tensor:
        """The embedding of A, C, G, T and N, (5, D); zeros for an N that the model cannot read."""
        *bases, n = self.base_ids
        rows = self.embedding.weight[bases]
        return torch.cat([rows, self.embedding.weight[n : n + 1] if n is not None else torch.zeros_like(rows[:1])])

    def _output_jvp(self, hidden: Tensor) -> Tensor:
        if self.output == "hidden":
            return hidden
        logits = linear(hidden, self.head_weight)
        if self.output == "logits":
            return logits
        bases = list(self.base_ids[:4])
        log_p = functional.log_softmax(logits[0], dim=-1)
        mean_dot = (log_p.exp() * logits[1:]).sum(-1, keepdim=True)
        return torch.cat([log_p[None, :, bases], logits[1:, :, bases] - mean_dot])
