"""Directions v in the one-hot input of one record, along which a tangent sweep differentiates."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

RANDOM_BLOCK = 1024


class Direction(Protocol):
    """K directions in the input of one record, asked for tile by tile."""

    count: int
    """K."""

    begins: int
    """0-based position before which all K are zero: until there only the primal is swept."""

    def tangents(self, start: int, x: Tensor) -> Tensor:
        """Return v (K, T, 5) for the tile x (T, 5) whose first base is at the 0-based position ``start``."""
        ...


class Contrast:
    """v_t = x_t - 1/4 over the four bases, 0 at N: along "more of this sequence, less of a uniform one"."""

    count = 1
    begins = 0

    def tangents(self, start: int, x: Tensor) -> Tensor:
        """Return v (1, T, 5)."""
        return _contrast(x)[None]


class Pulse(NamedTuple):
    """A direction that is zero but at one base."""

    position: int
    """0-based."""
    alt: int | None = None
    """Code of another base: the direction is onehot(alt) - onehot(the base there), a variant; None: the contrast."""


class Pulses:
    """Pulses at some bases of the record: added up in one direction, or each in a direction of its own.

    Args:
        pulses: at least one.
        separate: one direction for each, in the order given.
    """

    def __init__(self, pulses: Sequence[Pulse], *, separate: bool = False) -> None:
        self.count = len(pulses) if separate else 1
        self.begins = min(pulse.position for pulse in pulses)
        self._pulses = [(pulse, index if separate else 0) for index, pulse in enumerate(pulses)]

    def tangents(self, start: int, x: Tensor) -> Tensor:
        """Return v (K, T, 5)."""
        v = x.new_zeros(self.count, *x.shape)
        for (position, alt), index in self._pulses:
            at = position - start
            if not 0 <= at < len(x):
                continue
            if alt is None:
                v[index, at] += _contrast(x[at : at + 1])[0]
            elif x[at, 4] == 0:
                v[index, at] -= x[at]
                v[index, at, alt] += 1
        return v


class RandomNormal:
    """K independent standard normal directions, 0 at N.

    A number depends on the seed, the direction's index, the record's name and the position alone, whatever the tile.
    """

    begins = 0

    def __init__(self, count: int, seed: int, contig: str) -> None:
        self.count = count
        name = int.from_bytes(hashlib.sha256(contig.encode()).digest()[:8])
        self._keys = [(seed, index, name) for index in range(count)]

    def tangents(self, start: int, x: Tensor) -> Tensor:
        """Return v (K, T, 5)."""
        first, last = start // RANDOM_BLOCK, (start + len(x) - 1) // RANDOM_BLOCK
        offset = start - first * RANDOM_BLOCK
        v = x.new_zeros(self.count, *x.shape)
        for index, key in enumerate(self._keys):
            blocks = [_normal_block(*key, block) for block in range(first, last + 1)]
            rows = np.concatenate([*blocks, np.empty((0, 4))])[offset : offset + len(x)]
            v[index, :, :4] = torch.from_numpy(rows).to(x) * (1 - x[:, 4:])
        return v


def _contrast(x: Tensor) -> Tensor:
    """x - 1/4 over the four bases (T, 5), 0 at N."""
    v = x.clone()
    v[:, :4] -= (1 - x[:, 4:]) / 4
    v[:, 4] = 0
    return v


def _normal_block(*key: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key))).standard_normal((RANDOM_BLOCK, 4))
