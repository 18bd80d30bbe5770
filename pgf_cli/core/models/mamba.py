"""Mamba language models of any depth.

``forward`` is the definition in differentiable torch; ``jvp`` is its analytic derivative on stacks (see ``core.ops``),
``vjp`` its analytic adjoint.

Source: Gu & Dao 2023; arithmetic and tensor names of the mamba_ssm and Hugging Face implementations.
"""

from functools import partial
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.models.mamba_block import Block, LayerState, MambaConfig
from pgf_cli.core.models.protocol import BaseIds, InitialAdjoint, TileAdjoint, TileDual
from pgf_cli.core.models.token_model import TokenModel
from pgf_cli.core.ops.linear import linear, weight_vjp


class MambaLM(TokenModel):
    """A causal Mamba language model over single-base tokens."""

    def __init__(self, config: MambaConfig, base_ids: BaseIds, output: OutputLayer) -> None:
        super().__init__(config, base_ids, output, partial(Block, config))
        self.config = config

    @property
    def width(self) -> int:
        """That of in_proj's result, 2 E."""
        return 2 * self.config.d_inner

    @property
    def blocks(self) -> list[Block]:
        """The layers, typed."""
        return cast(list[Block], list(self.layers))

    def initial_jvp(self, first: Tensor, first_dot: Tensor) -> tuple[tuple[LayerState, ...], tuple[LayerState, ...]]:
        """Return zeros and their zero tangents."""
        state = self.initial_state(first)
        directions = first_dot.shape[0]
        zeros = (LayerState(*(part.new_zeros(directions, *part.shape) for part in layer)) for layer in state)
        return state, tuple(zeros)

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

    def _output_jvp(self, hidden: Tensor) -> Tensor:
        if self.output == "hidden":
            return hidden
        logits = linear(hidden, self.head_weight)
        if self.output == "logits":
            return logits
        log_p = functional.log_softmax(logits[0], dim=-1)
        mean_dot = (log_p.exp() * logits[1:]).sum(-1, keepdim=True)
        return torch.cat([self._base_columns(log_p)[None], self._base_columns(logits[1:]) - mean_dot])

    def initial_vjp(
        self, first: Tensor, state_bar: tuple[LayerState, ...], *, parameters: bool = False
    ) -> InitialAdjoint:
        """Return zeros: the initial state depends on nothing."""
        none = {name: torch.zeros_like(weight) for name, weight in self.named_parameters() if parameters}
        return InitialAdjoint(torch.zeros_like(first), none if parameters else None)

    def vjp(
        self,
        x: Tensor,
        state: tuple[LayerState, ...],
        y_bar: Tensor,
        state_bar: tuple[LayerState, ...],
        *,
        parameters: bool = False,
    ) -> TileAdjoint:
        """Compute a tile again and differentiate it backwards; see ``StreamingModel.vjp``."""
        r = linear(x, self._base_rows().T)
        inputs, traces = [], []
        for block, layer in zip(self.blocks, state, strict=True):
            out, _, trace = block.mixer.trace(block.norm.fast(r), layer)
            inputs.append(r)
            traces.append(trace)
            r = r + out
        hidden = self.norm_f.fast(r)
        y, hidden_bar, head_bar = self._output_vjp(hidden, y_bar, parameters)
        r_bar, norm_bar = self.norm_f.vjp(r, hidden_bar)
        bars = {"norm_f.weight": norm_bar}
        before = []
        for index in reversed(range(len(traces))):
            block = self.blocks[index]
            mixer = block.mixer.vjp(traces.pop(), r_bar, state_bar[index], parameters=parameters)
            through_bar, norm_bar = block.norm.vjp(inputs.pop(), mixer.x)
            r_bar = r_bar + through_bar
            before.append(mixer.state)
            prefix = f"layers.{index}."
            bars |= {f"{prefix}norm.weight": norm_bar}
            bars |= {f"{prefix}mixer.{name}": bar for name, bar in mixer.parameters.items()}
        x_bar = linear(r_bar, self._base_rows())
        named = self._named_bars(bars, head_bar, weight_vjp(r_bar, x)) if parameters else None
        return TileAdjoint(y, x_bar, tuple(reversed(before)), named)

    def _output_vjp(self, hidden: Tensor, y_bar: Tensor, parameters: bool) -> tuple[Tensor, Tensor, Tensor | None]:
        """The output, and the adjoints of hidden (T, D) and of the head's rows."""
        if self.output == "hidden":
            return hidden, y_bar, None
        y, logits_bar = linear(hidden, self.head_weight), y_bar
        if self.output == "logprobs":
            log_p = functional.log_softmax(y, dim=-1)
            logits_bar = log_p.exp() * -y_bar.sum(-1, keepdim=True)
            for base, row in enumerate(self.base_ids[:4]):
                logits_bar[:, row] += y_bar[:, base]
            y = self._base_columns(log_p)
        return y, linear(logits_bar, self.head_weight.T), weight_vjp(hidden, logits_bar) if parameters else None

    def _named_bars(self, bars: dict[str, Tensor], head_bar: Tensor | None, base_rows_bar: Tensor) -> dict[str, Tensor]:
        """All gradients by the names of ``named_parameters``; a tied embedding gets the head's, too."""
        *bases, n = self.base_ids
        read = bases if n is None else [*bases, n]
        embedding_bar = torch.zeros_like(self.embedding.weight)
        embedding_bar.index_add_(0, torch.tensor(read, device=embedding_bar.device), base_rows_bar[: len(read)])
        if head_bar is not None and self.config.tied:
            embedding_bar += head_bar
        bars["embedding.weight"] = embedding_bar
        bars["lm_head.weight"] = torch.zeros_like(self.head_weight) if head_bar is None else head_bar
        return {name: bars[name] for name, _ in self.named_parameters()}
