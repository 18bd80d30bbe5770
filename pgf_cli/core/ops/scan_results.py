"""What the verbs of a scan return."""

from typing import NamedTuple

from torch import Tensor


class ScanDual(NamedTuple):
    """A tile's output and the state after it, with their K tangents."""

    y: Tensor
    """The stack (1 + K, T, E) of the output."""
    h: Tensor
    """(E, N)."""
    h_dot: Tensor
    """(K, E, N)."""


class ScanPass(NamedTuple):
    """Output y (T, E) and state h (E, N) after the tile, and what the way back needs."""

    y: Tensor
    h: Tensor
    edges: Tensor | None
    """States at the edges of spans of time, from which a fast ``vjp`` computes all others again."""
