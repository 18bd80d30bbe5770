"""From the last features to the output that was asked for, with tangents and adjoints."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.models.protocol import BaseIds
from pgf_cli.core.ops.linear import linear, weight_vjp


class HeadAdjoint(NamedTuple):
    """The output, and the gradients with respect to what it was made of."""

    y: Tensor
    hidden: Tensor
    weight: Tensor | None
    """None where the output is ``hidden`` or nobody asked."""


class Head(NamedTuple):
    """A language model's head: logits = hidden W^T, log-probabilities over all of W's rows, of the bases alone."""

    output: OutputLayer
    weight: Tensor | None
    """W, (vocab, D); None where the output is ``hidden``."""
    base_ids: BaseIds | None
    """Rows of A, C, G and T; needed for ``logprobs``."""

    def forward(self, hidden: Tensor) -> Tensor:
        """Map hidden (T, D) to the output (T, C), differentiably."""
        if self.weight is None:
            return hidden
        logits = hidden @ self.weight.T
        if self.base_ids is None or self.output == "logits":
            return logits
        return self._base_columns(functional.log_softmax(logits, dim=-1))

    def jvp(self, hidden: Tensor) -> Tensor:
        """Map a stack (1 + K, T, D) to the output's."""
        if self.weight is None:
            return hidden
        logits = linear(hidden, self.weight)
        if self.base_ids is None or self.output == "logits":
            return logits
        log_p = functional.log_softmax(logits[0], dim=-1)
        p, dots = log_p.exp(), logits[1:]
        # Sum p_j (dot_c - dot_j), not dot_c - sum p_j dot_j: where p_c is nearly 1 that loses all that is left of it.
        rows = [-(p * (dots - dots[..., row : row + 1])).sum(-1) for row in self.base_ids[:4]]
        return torch.cat([self._bases(log_p, p)[None], torch.stack(rows, dim=-1)])

    def vjp(self, hidden: Tensor, y_bar: Tensor, *, parameters: bool) -> HeadAdjoint:
        """Return the output (T, C), and the adjoints of hidden (T, D) and of W."""
        if self.weight is None:
            return HeadAdjoint(hidden, y_bar, None)
        y, logits_bar = linear(hidden, self.weight), y_bar
        if self.base_ids is not None and self.output == "logprobs":
            log_p = functional.log_softmax(y, dim=-1)
            p, total = log_p.exp(), y_bar.sum(-1)
            logits_bar = p * -total[:, None]
            for base, row in enumerate(self.base_ids[:4]):
                logits_bar[:, row] = y_bar[:, base] * _others(p, row) - p[:, row] * (total - y_bar[:, base])
            y = self._bases(log_p, p)
        weight_bar = weight_vjp(hidden, logits_bar) if parameters else None
        return HeadAdjoint(y, linear(logits_bar, self.weight.T), weight_bar)

    def _bases(self, log_p: Tensor, p: Tensor) -> Tensor:
        """log p of A, C, G and T (T, 4), with all its digits also where p is nearly 1."""
        assert self.base_ids is not None
        others = torch.stack([_others(p, row) for row in self.base_ids[:4]], dim=-1)
        return torch.where(others < 0.5, torch.log1p(-others), self._base_columns(log_p))

    def _base_columns(self, outputs: Tensor) -> Tensor:
        """Columns of A, C, G and T (..., 4); not by a list as index, which would make the host wait for a device."""
        assert self.base_ids is not None
        return torch.stack([outputs[..., row] for row in self.base_ids[:4]], dim=-1)


def _others(p: Tensor, row: int) -> Tensor:
    """1 - p of one row (T,), as the sum of the others: where p is nearly 1 the difference has no digits left."""
    return p[:, :row].sum(-1) + p[:, row + 1 :].sum(-1)
