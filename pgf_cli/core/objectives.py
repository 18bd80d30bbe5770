"""Objectives phi whose gradient an adjoint sweep computes: each a weighted sum of the model's outputs, phi = sum w y.

Being linear in the output, an objective is its weights w = dphi/dy, asked for tile by tile. Positions and targets are
0-based, in the coordinates of the sweep.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgf_cli.core.bases import N_CODE, BaseCodes

BASES = 4


class Objective(Protocol):
    """A scalar of a sweep's output y (L, C)."""

    def weights(self, start: int, codes: BaseCodes, following: int | None) -> Tensor:
        """Return w = dphi/dy (T, C) for the tile of base codes (T,) whose first base is at ``start``.

        ``following`` is the code of the base after the tile; None at the end of the sweep.
        """
        ...


class Targets:
    """A set of positions, asked for tile by tile.

    Args:
        intervals: half-open (first, last + 1) pairs in any order, overlapping or not.
    """

    def __init__(self, intervals: Iterable[tuple[int, int]]) -> None:
        merged: list[list[int]] = []
        for first, end in sorted(intervals):
            if merged and first <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], end)
            elif first < end:
                merged.append([first, end])
        self._edges = np.array(merged, dtype=np.int64).ravel()

    def __call__(self, first: int, end: int) -> NDArray[np.bool_]:
        """Return for each position in [first, end) whether it is in the set."""
        passed = np.searchsorted(self._edges, np.arange(first, end), side="right")
        inside: NDArray[np.bool_] = passed % 2 == 1
        return inside


class LogLikelihood:
    """The sum of log p(x_t | x_<t) in nats over the target positions t, for a model whose output is ``logprobs``.

    The labels x_t are constants. N has no label, and the first base of a sweep has no prediction.

    Args:
        targets: positions of the predicted bases; None for all.
        dtype, device: of the weights: the model's.
    """

    def __init__(self, targets: Targets | None, dtype: torch.dtype, device: torch.device) -> None:
        self._targets = targets
        self._rows = torch.eye(BASES, dtype=dtype, device=device)

    def weights(self, start: int, codes: BaseCodes, following: int | None) -> Tensor:
        """Return w (T, 4): the row of base t weighs the log-probability of base t + 1."""
        labels = np.append(codes[1:], N_CODE if following is None else following)
        counts = labels != N_CODE
        if self._targets is not None:
            counts &= self._targets(start + 1, start + 1 + len(codes))
        w = self._rows.new_zeros(len(codes), BASES)
        w[torch.from_numpy(counts)] = self._rows[torch.from_numpy(labels[counts].astype(np.int64))]
        return w


class MaskedLogLikelihood(LogLikelihood):
    """The sum of log p(x_t | the whole window) in nats over the targets t, of a model that reads in both directions.

    Its row of base t predicts base t itself, from all others and, where it is not masked, from itself.

    Args:
        targets: positions of the predicted bases; None for all.
        dtype, device: of the weights: the model's.
    """

    def weights(self, start: int, codes: BaseCodes, following: int | None) -> Tensor:
        """Return w (T, 4): the row of base t weighs the log-probability of base t."""
        counts = codes != N_CODE
        if self._targets is not None:
            counts &= self._targets(start, start + len(codes))
        w = self._rows.new_zeros(len(codes), BASES)
        w[torch.from_numpy(counts)] = self._rows[torch.from_numpy(codes[counts].astype(np.int64))]
        return w


class SequenceScore:
    """One score of a classification or regression head for all that is read, for a model whose output is ``hidden``.

    Args:
        weights: of a tile, w (T, channels), by its first and last + 1 position, counted from the first base read, and
            the number of bases read.
        start, end: what is read.
        dtype, device: of the weights.
    """

    def __init__(
        self,
        weights: Callable[[int, int, int], Tensor],
        start: int,
        end: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._weights, self._start, self._end, self._dtype, self._device = weights, start, end, dtype, device

    def weights(self, start: int, codes: BaseCodes, following: int | None) -> Tensor:
        """Return w (T, channels)."""
        first = start - self._start
        w = self._weights(first, first + len(codes), self._end - self._start)
        return w.to(self._device, self._dtype)


class SumOutputs:
    """The sum of the model's output over all its channels at the target positions.

    Args:
        targets: positions whose output counts; None for all.
        channels: channels of the output.
        dtype, device: of the weights: the model's.
    """

    def __init__(self, targets: Targets | None, channels: int, dtype: torch.dtype, device: torch.device) -> None:
        self._targets = targets
        self._row = torch.ones(channels, dtype=dtype, device=device)

    def weights(self, start: int, codes: BaseCodes, following: int | None) -> Tensor:
        """Return w (T, channels), the same row at every target."""
        w = self._row.repeat(len(codes), 1)
        if self._targets is not None:
            w[torch.from_numpy(~self._targets(start, start + len(codes)))] = 0
        return w


class Logit(SumOutputs):
    """The sum of one column of the model's output at the target positions.

    Args:
        targets: positions whose output counts; None for all.
        column: which channel of the output, 0-based.
        channels: channels of the output.
        dtype, device: of the weights: the model's.
    """

    def __init__(
        self, targets: Targets | None, column: int, channels: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        super().__init__(targets, channels, dtype, device)
        self._row = torch.eye(channels, dtype=dtype, device=device)[column]
