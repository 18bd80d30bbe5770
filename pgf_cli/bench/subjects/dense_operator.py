"""The paper's operator over real-valued inputs, as in its experiments; our own model reads bases."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from pgf_cli.core.models import FrechetConfig, FrechetModel
from pgf_cli.core.threads import flush_denormals

NOISE_BLOCK = 128

Rows = Callable[[int, int], Tensor]
"""Makes rows [first, last) of a sequence, (T, D), so that none of it need be kept."""


class DenseOperator(FrechetModel):
    """The Frechet operator whose x (T, D) is its input u itself."""

    def _inputs(self, x: Tensor) -> Tensor:
        return x

    def _inputs_jvp(self, stack: Tensor) -> Tensor:
        return stack


class DenseTile(NamedTuple):
    """What a dense sweep yields for each tile."""

    start: int
    y_dot: Tensor
    """(T, D)."""


@dataclass(frozen=True)
class Noise:
    """Normal noise; a row depends on the seed and its position alone."""

    channels: int
    deviation: float
    seed: int

    def __call__(self, first: int, last: int) -> Tensor:
        """Return rows [first, last), float32."""
        begin = first // NOISE_BLOCK
        blocks = [self._block(index) for index in range(begin, -(-last // NOISE_BLOCK))]
        return torch.cat(blocks)[first - begin * NOISE_BLOCK : last - begin * NOISE_BLOCK] * self.deviation

    def _block(self, index: int) -> Tensor:
        generator = torch.Generator().manual_seed((self.seed << 32) + index)
        return torch.randn(NOISE_BLOCK, self.channels, generator=generator)


@dataclass(frozen=True)
class Impulse:
    """One on all channels at one position, zero elsewhere."""

    channels: int
    position: int

    def __call__(self, first: int, last: int) -> Tensor:
        """Return rows [first, last), float32."""
        rows = torch.zeros(last - first, self.channels)
        if first <= self.position < last:
            rows[self.position - first] = 1
        return rows


def dense_operator(channels: int, state: int, a_log: float, seed: int) -> DenseOperator:
    """Return a float32 operator initialised as torch does, with A = -exp(a_log) for every state."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        operator = DenseOperator(FrechetConfig(d_model=channels, d_state=state, embedded=True)).requires_grad_(False)
    operator.A_log.fill_(a_log)
    return operator


def dense_sweep(operator: DenseOperator, u: Rows, u_dot: Rows, length: int, tile: int) -> Iterator[DenseTile]:
    """Yield the derivative along one direction tile by tile; inputs are taken in the operator's number format."""

    def read(first: int, last: int) -> tuple[Tensor, Tensor]:
        return u(first, last).to(operator.dtype), u_dot(first, last).to(operator.dtype)[None]

    with torch.no_grad(), flush_denormals():
        h, h_dot = operator.initial_jvp(*read(0, min(length, operator.lookahead)))
    for start in range(0, length, tile):
        with torch.no_grad(), flush_denormals():
            dual = operator.jvp(*read(start, min(length, start + tile)), h, h_dot)
        h, h_dot = dual.state, dual.state_dot
        yield DenseTile(start, dual.y_dot[0])
