"""Directions v in the one-hot input along which a tangent sweep differentiates."""

from typing import Protocol

from torch import Tensor


class Direction(Protocol):
    """K directions in the input of a sequence, asked for tile by tile."""

    name: str

    def tangents(self, start: int, x: Tensor) -> Tensor:
        """Return v (K, T, 5) for the tile x (T, 5) whose first base is at the 0-based position ``start``."""
        ...


class Contrast:
    """v_t = x_t - 1/4 over the four bases, 0 at N: along "more of this sequence, less of a uniform one"."""

    name = "contrast"

    def tangents(self, start: int, x: Tensor) -> Tensor:
        """Return v (1, T, 5)."""
        v = x.clone()
        is_base = 1 - x[:, 4:]
        v[:, :4] -= is_base / 4
        v[:, 4] = 0
        return v[None]
