"""Causal models that are a stack of residual branches: r_0 = x Emb; r <- r + mixer(norm(r)) for each; norm; head.

The input is affine in x: a table of tokens has a row for each base and no bias, a linear map of one-hot tracks a column
for each base, zeros for N, and perhaps a bias, which has no derivative.

``forward`` is the definition in differentiable torch; ``jvp`` and ``vjp`` put the analytic derivatives of the branches
together.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.models.branch import Branch, Mixer
from pgf_cli.core.models.embedding import standard_normal_embedding
from pgf_cli.core.models.head import Head
from pgf_cli.core.models.norms import Norm, RMSNorm
from pgf_cli.core.models.protocol import (
    BaseIds,
    InitialAdjoint,
    State,
    StreamingModel,
    TileAdjoint,
    TileDual,
    map_state,
)
from pgf_cli.core.ops.linear import linear, linear_jvp, weight_vjp

BASES = 4


class StackSizes(Protocol):
    """The sizes and settings that these models have in common."""

    @property
    def d_model(self) -> int:
        """Model width D."""
        ...

    @property
    def n_layer(self) -> int:
        """How many blocks."""
        ...

    @property
    def vocab_size(self) -> int:
        """Rows of the embedding and of the head, padding included."""
        ...

    @property
    def norm_eps(self) -> float:
        """Of the final norm."""
        ...

    @property
    def head(self) -> bool:
        """Whether there is a language-model head; without it the output is ``hidden``."""
        ...

    @property
    def tied(self) -> bool:
        """Whether the head is the embedding."""
        ...


class Block(nn.Module):
    """A layer of a stack: one branch, or several in a row."""

    norm: Norm
    mixer: Mixer

    branch_names: tuple[tuple[str, str], ...] = (("norm", "mixer"),)
    """Attributes that hold the norm and the mixer of each branch."""

    @property
    def branches(self) -> list[Branch]:
        """The layer's branches, in order."""
        return [Branch(norm, getattr(self, norm), mixer, getattr(self, mixer)) for norm, mixer in self.branch_names]


class StackModel(StreamingModel):
    """A causal model over single-base tokens or one-hot tracks."""

    def __init__(
        self,
        config: StackSizes,
        base_ids: BaseIds,
        output: OutputLayer,
        make_block: Callable[[], Block],
        *,
        embedding: nn.Linear | None = None,
        norm_f: Norm | None = None,
    ) -> None:
        """Make a model of random weights.

        Args:
            config: its sizes.
            base_ids: token ids of the bases; ignored where the input is one-hot.
            output: what ``forward`` returns.
            make_block: makes a layer.
            embedding: for a one-hot input, the map of tracks to D channels: A, C, G, T, then others that are 0.
            norm_f: the final norm; None: an RMS norm.
        """
        super().__init__()
        self._tied = config.tied
        self.base_ids = base_ids
        self.output = output
        # To a one-hot input N is the zero vector.
        self.reads_n = embedding is not None or base_ids.n is not None
        self.embedding = embedding or standard_normal_embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList(make_block() for _ in range(config.n_layer))
        self.norm_f: Norm = norm_f or RMSNorm(config.d_model, config.norm_eps)
        if config.head and not config.tied:
            self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)

    def add_score(self, labels: int, channels: int, *, pools_last: bool) -> None:
        """Add a classification or regression head, if it has any score."""
        self.labels, self.pools_last = labels, pools_last
        if labels:
            self.score = nn.Linear(channels, labels, bias=False)

    def score_rows(self) -> Tensor:
        """Return the rows of the classification or regression head, (labels, D)."""
        return self.score.weight

    @property
    def head_weight(self) -> Tensor:
        """The head's rows, (vocab, D)."""
        return self.embedding.weight if self._tied else self.lm_head.weight

    @property
    def blocks(self) -> list[Block]:
        """The layers."""
        return list(self.layers)  # type: ignore[arg-type]

    @property
    def _head(self) -> Head:
        return Head(self.output, None if self.output == "hidden" else self.head_weight, self.base_ids)

    def has_own(self, verb: str) -> bool:
        """Whether every mixer has formulas of its own."""
        mixers = [branch.mixer for block in self.blocks for branch in block.branches]
        return all(getattr(type(mixer), verb) is not getattr(Mixer, verb) for mixer in mixers)

    def initial_state(self, first: Tensor) -> State:
        """Return, for every layer, what its branches begin with: nothing was read yet."""
        return tuple(tuple(branch.mixer.initial_state() for branch in block.branches) for block in self.blocks)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one tile; see ``StreamingModel.forward``."""
        r = x @ self._base_rows()
        if self._input_bias is not None:
            r = r + self._input_bias
        after = []
        for block, layer in zip(self.blocks, state, strict=True):
            layer_after = []
            for branch, before in zip(block.branches, layer, strict=True):
                out, branch_after = branch.forward(r, before)
                r = r + out
                layer_after.append(branch_after)
            after.append(tuple(layer_after))
        return self._head.forward(self.norm_f(r)), tuple(after)

    def initial_jvp(self, first: Tensor, first_dot: Tensor) -> tuple[State, State]:
        """Return the initial state and its zero tangents."""
        state = self.initial_state(first)
        return state, map_state(lambda part: part.new_zeros(len(first_dot), *part.shape), state)

    def jvp(self, x: Tensor, x_dot: Tensor, state: State, state_dot: State) -> TileDual:
        """Read one tile and its K directions; see ``StreamingModel.jvp``."""
        r = linear_jvp(torch.cat([x[None], x_dot]), self._base_rows().T, self._input_bias)
        after, after_dot = [], []
        for block, layer, layer_dot in zip(self.blocks, state, state_dot, strict=True):
            layer_after, layer_after_dot = [], []
            for branch, before, before_dot in zip(block.branches, layer, layer_dot, strict=True):
                out, branch_after, branch_after_dot = branch.jvp(r, before, before_dot)
                r += out
                layer_after.append(branch_after)
                layer_after_dot.append(branch_after_dot)
            after.append(tuple(layer_after))
            after_dot.append(tuple(layer_after_dot))
        y = self._head.jvp(self.norm_f.jvp(r))
        return TileDual(y[0], y[1:], tuple(after), tuple(after_dot))

    def initial_vjp(self, first: Tensor, state_bar: State, *, parameters: bool = False) -> InitialAdjoint:
        """Return zeros: the initial state depends on nothing."""
        none = {name: torch.zeros_like(weight) for name, weight in self.named_parameters() if parameters}
        return InitialAdjoint(torch.zeros_like(first), none if parameters else None)

    def vjp(self, x: Tensor, state: State, y_bar: Tensor, state_bar: State, *, parameters: bool = False) -> TileAdjoint:
        """Compute a tile again and differentiate it backwards; see ``StreamingModel.vjp``."""
        r = linear(x, self._base_rows().T, self._input_bias)
        traces = []
        for block, layer in zip(self.blocks, state, strict=True):
            for branch, before in zip(block.branches, layer, strict=True):
                out, _, trace = branch.trace(r, before)
                traces.append(trace)
                # Not in place: the trace keeps r.
                r = r + out
        head = self._head.vjp(self.norm_f.fast(r), y_bar, parameters=parameters)
        norm = self.norm_f.vjp(r, head.hidden)
        r_bar = norm.x
        bars = {f"norm_f.{name}": bar for name, bar in norm.parameters.items()}
        before_bars: list[State] = []
        for index in reversed(range(len(self.blocks))):
            layer_bars: list[State] = []
            for branch, after_bar in reversed(list(zip(self.blocks[index].branches, state_bar[index], strict=True))):
                pulled = branch.vjp(traces.pop(), r_bar, after_bar, parameters=parameters)
                r_bar = r_bar + pulled.x
                layer_bars.insert(0, pulled.state)
                bars |= {f"layers.{index}.{name}": bar for name, bar in pulled.parameters.items()}
            before_bars.insert(0, tuple(layer_bars))
        x_bar = linear(r_bar, self._base_rows())
        named = self._named_bars(bars, head.weight, x, r_bar) if parameters else None
        return TileAdjoint(head.y, x_bar, tuple(before_bars), named)

    def _base_rows(self) -> Tensor:
        """The embedding of A, C, G, T and N, (5, D); zeros for an N that has none."""
        if isinstance(self.embedding, nn.Linear):
            columns = self.embedding.weight[:, :BASES]
            return torch.cat([columns, torch.zeros_like(columns[:, :1])], dim=1).T
        *bases, n = self.base_ids
        rows = torch.stack([self.embedding.weight[row] for row in bases])
        return torch.cat([rows, self.embedding.weight[n : n + 1] if n is not None else torch.zeros_like(rows[:1])])

    @property
    def _input_bias(self) -> Tensor | None:
        return self.embedding.bias if isinstance(self.embedding, nn.Linear) else None

    def _named_bars(
        self, bars: dict[str, Tensor], head_bar: Tensor | None, x: Tensor, r_bar: Tensor
    ) -> dict[str, Tensor]:
        """All gradients by the names of ``named_parameters``, given that of the first features r_0 (T, D)."""
        bars["embedding.weight"] = self._embedding_bar(weight_vjp(r_bar, x))
        bars["embedding.bias"] = r_bar.sum(0)
        if head_bar is not None and self._tied:
            bars["embedding.weight"] += head_bar
        if hasattr(self, "lm_head"):
            bars["lm_head.weight"] = torch.zeros_like(self.head_weight) if head_bar is None else head_bar
        if self.labels:
            bars["score.weight"] = torch.zeros_like(self.score.weight)
        return {name: bars[name] for name, _ in self.named_parameters()}

    def _embedding_bar(self, base_rows_bar: Tensor) -> Tensor:
        """The adjoint of the embedding's weight, given that of the bases' rows (5, D)."""
        bar = torch.zeros_like(self.embedding.weight)
        if isinstance(self.embedding, nn.Linear):
            bar[:, :BASES] = base_rows_bar[:BASES].T
            return bar
        *bases, n = self.base_ids
        read = bases if n is None else [*bases, n]
        return bar.index_add_(0, torch.tensor(read, device=bar.device), base_rows_bar[: len(read)])
