"""What language models over single-base tokens share: embedding, residual blocks, final norm, head.

r_0 = x Emb;   r <- r + Mixer(RMSNorm(r)) per layer;   logits = RMSNorm(r) W^T
"""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.models.embedding import standard_normal_embedding
from pgf_cli.core.models.mamba_block import Norm
from pgf_cli.core.models.protocol import BaseIds, State, StreamingModel


class TokenSizes(Protocol):
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


class TokenModel(StreamingModel):
    """A causal language model over single-base tokens, of blocks with a ``norm`` and a ``mixer`` that has states."""

    def __init__(
        self, config: TokenSizes, base_ids: BaseIds, output: OutputLayer, make_block: Callable[[], nn.Module]
    ) -> None:
        super().__init__()
        self._tied = config.tied
        self.base_ids = base_ids
        self.output = output
        self.reads_n = base_ids.n is not None
        self.embedding = standard_normal_embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList(make_block() for _ in range(config.n_layer))
        self.norm_f = Norm(config.d_model, config.norm_eps)
        if config.head and not config.tied:
            self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)

    @property
    def head_weight(self) -> Tensor:
        """The head's rows, (vocab, D)."""
        return self.embedding.weight if self._tied else self.lm_head.weight

    def initial_state(self, first: Tensor) -> State:
        """Return zeros: nothing was read yet."""
        return tuple(block.mixer.initial_state() for block in self.blocks)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one tile; see ``StreamingModel.forward``."""
        r = x @ self._base_rows()
        after = []
        for block, layer in zip(self.blocks, state, strict=True):
            out, layer_after = block.mixer(block.norm(r), layer)
            r = r + out
            after.append(layer_after)
        return self._output(self.norm_f(r)), tuple(after)

    @property
    def blocks(self) -> list[Any]:
        """The layers."""
        return list(self.layers)

    def _base_rows(self) -> Tensor:
        """The embedding of A, C, G, T and N, (5, D); zeros for an N that the model cannot read."""
        *bases, n = self.base_ids
        rows = torch.stack([self.embedding.weight[row] for row in bases])
        return torch.cat([rows, self.embedding.weight[n : n + 1] if n is not None else torch.zeros_like(rows[:1])])

    def _base_columns(self, outputs: Tensor) -> Tensor:
        """Columns of A, C, G and T (..., 4); not by a list as index, which would make the host wait for a device."""
        return torch.stack([outputs[..., row] for row in self.base_ids[:4]], dim=-1)

    def _output(self, hidden: Tensor) -> Tensor:
        if self.output == "hidden":
            return hidden
        logits = hidden @ self.head_weight.T
        if self.output == "logits":
            return logits
        return functional.log_softmax(logits, dim=-1)[:, list(self.base_ids[:4])]
