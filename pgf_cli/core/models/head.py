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
        mean_dot = (log_p.exp() * logits[1:]).sum(-1, keepdim=True)
        return torch.cat([self._base_columns(log_p)[None], self._base_columns(logits[1:]) - mean_dot])

    def vjp(self, hidden: Tensor, y_bar: Tensor, *, parameters: bool) -> HeadAdjoint:
        """Return the output (T, C), and the adjoints of hidden (T, D) and of W."""
        if self.weight is None:
            return HeadAdjoint(hidden, y_bar, None)
        y, logits_bar = linear(hidden, self.weight), y_bar
        if self.base_ids is not None and self.output == "logprobs":
            log_p = functional.log_softmax(y, dim=-1)
            logits_bar = log_p.exp() * -y_bar.sum(-1, keepdim=True)
            for base, row in enumerate(self.base_ids[:4]):
                logits_bar[:, row] += y_bar[:, base]
            y = self._base_columns(log_p)
        weight_bar = weight_vjp(hidden, logits_bar) if parameters else None
        return HeadAdjoint(y, linear(logits_bar, self.weight.T), weight_bar)

    def _base_columns(self, outputs: Tensor) -> Tensor:
        """Columns of A, C, G and T (..., 4); not by a list as index, which would make the host wait for a device."""
        assert self.base_ids is not None
        return torch.stack([outputs[..., row] for row in self.base_ids[:4]], dim=-1)
