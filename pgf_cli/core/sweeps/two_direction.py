"""What both sweeps of a two-direction model begin and end with: bases to features, features to outputs, and back."""

from collections.abc import Callable

import torch
from torch import Tensor

from pgf_cli.core.bases import N_CODE, BaseCodes, BaseSequence
from pgf_cli.core.directions import Direction
from pgf_cli.core.models.two_direction import TwoDirectionModel
from pgf_cli.core.objectives import Targets
from pgf_cli.core.one_hot import one_hot_rows
from pgf_cli.core.ops.linear import linear
from pgf_cli.core.sweeps.device import HostLink


class Ends:
    """Features of a sequence's bases, and outputs of its last features.

    Args:
        model: any two-direction model.
        sequence: base codes of the record.
        start: position of the first base read; tiles are counted from there.
        masked: positions whose base is read as [MASK]; None: no mask.
    """

    def __init__(
        self, model: TwoDirectionModel, sequence: BaseSequence, start: int, masked: Targets | None, link: HostLink
    ) -> None:
        self._model, self._sequence, self._start, self._masked, self._link = model, sequence, start, masked, link

    def codes(self, first: int, last: int) -> BaseCodes:
        """Return base codes, (T,)."""
        return self._sequence[self._start + first : self._start + last]

    def x(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Return x (T, 5), zero where a base is masked, and (T, 1), one there."""
        x = one_hot_rows(self._link.to_device(torch.from_numpy(self.codes(first, last))), self._model.dtype)
        if self._masked is None:
            return x, x.new_zeros(len(x), 1)
        masked = torch.from_numpy(self._masked(self._start + first, self._start + last)).to(x)[:, None]
        return x * (1 - masked), masked

    def features(self, first: int, last: int, v: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the first layer's input (S, 1 + K, T, D), its tangents along v(x) (K, T, 5)."""
        x, masked = self.x(first, last)
        stack = torch.cat([x[None], v(x) * (1 - masked)])
        r = torch.stack([linear(stack, rows.T.contiguous()) for rows in self._model.base_rows()])
        if self._masked is not None:
            r[:, 0] += masked * self._model.mask_rows()[:, None]
        return r

    def base_bars(self, first: int, last: int, r_bar: Tensor) -> Tensor:
        """Return the adjoint x_bar (T, 5) for that of the first layer's input (S, T, D): 0 at N and where masked."""
        x, masked = self.x(first, last)
        x_bar = sum((linear(bar, rows) for bar, rows in zip(r_bar, self._model.base_rows(), strict=True)), 0 * x)
        x_bar = x_bar * (1 - x[:, N_CODE:]) * (1 - masked)
        x_bar[:, N_CODE] = 0
        return x_bar

    def outputs(self, r: Tensor) -> Tensor:
        """Return the stack of outputs (1 + K, T, C) of the last layer's features (S, 1 + K, T, D)."""
        hidden = torch.stack([self._model.final_norm.jvp(stream) for stream in r])
        return self._model.head.jvp(self._model.joined(hidden))

    def output_bars(self, r: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output (T, C) of features (S, T, D), and the features' adjoint for that of the output."""
        norm = self._model.final_norm
        joined = self._model.joined(torch.stack([norm.fast(stream) for stream in r]))
        head = self._model.head.vjp(joined, weights, parameters=False)
        bars = self._model.parted(head.hidden)
        pulled = [norm.vjp(stream, bar.contiguous()).x for stream, bar in zip(r, bars, strict=True)]
        return head.y, torch.stack(pulled)


class BlockTangents:
    """A direction's tangents cut by where they are seeded: K for each of some blocks of W bases.

    Args:
        direction: K directions.
        start: position of the first base read.
        block: W.
        first, last: numbers of the first block and one past the last.
    """

    def __init__(self, direction: Direction, start: int, block: int, first: int, last: int) -> None:
        self._direction, self._start, self._block, self._first, self._last = direction, start, block, first, last

    @property
    def count(self) -> int:
        """How many tangents."""
        return (self._last - self._first) * self._direction.count

    def tangents(self, first: int, x: Tensor) -> Tensor:
        """Return v (blocks x K, T, 5) for the tile x (T, 5) that begins ``first`` bases after the start."""
        v = self._direction.tangents(self._start + first, x)
        block = torch.arange(first, first + len(x), device=x.device) // self._block
        mine = block == torch.arange(self._first, self._last, device=x.device)[:, None]
        return (mine[:, None, :, None] * v).flatten(0, 1)

    def far_from(self, first: int, length: int) -> Tensor:
        """Return (blocks, 1, T, 1): whether a block is neither that of a base nor next to it."""
        block = torch.arange(first, first + length) // self._block
        return ((block - torch.arange(self._first, self._last)[:, None]).abs() > 1)[:, None, :, None]
