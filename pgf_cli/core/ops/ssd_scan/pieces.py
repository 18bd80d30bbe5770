"""How a tile's tensors are cut into chunks of time and groups of heads, as views."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pgf_cli.core.ops.ssd_scan.reference import Scan

CHUNK = 128
"""Bases whose effects on each other are one product: it grows with their square, and the number of products shrinks."""


@dataclass(frozen=True)
class Piece:
    """Some chunks of equal length, in a row: of one group of heads, or of all.

    What it cuts out is (Q, ...) of one chunk and group, else (chunks, G, Q, ...), for Q bases a chunk.
    """

    first: int
    """Base that it begins with."""
    length: int
    """Bases of a chunk, Q."""
    index: int
    """Of the first chunk."""
    chunks: int = 1
    group: int | None = None

    def rows(self, tensor: Tensor) -> Tensor:
        """Cut (T, G, ...)."""
        here = tensor[self.first : self.first + self.chunks * self.length]
        if self.group is not None:
            return here[:, self.group]
        return torch.unflatten(here, 0, (self.chunks, self.length)).transpose(1, 2)

    def states(self, tensor: Tensor) -> Tensor:
        """Cut what there is one of for every chunk, (chunks, G, ...), to (...) or (chunks, G, ...)."""
        if self.group is not None:
            return tensor[self.index, self.group]
        return tensor[self.index : self.index + self.chunks]

    def weights(self, tensor: Tensor) -> Tensor:
        """Cut (G, ...), for use beside ``rows``."""
        return tensor[:, None] if self.group is None else tensor[self.group]


def chunks_of(length: int) -> list[tuple[int, int]]:
    """Return where each chunk begins, and how many bases it has: all but the last one the same."""
    return [(first, min(CHUNK, length - first)) for first in range(0, length, CHUNK)]


def by_chunk_and_group(length: int, groups: int) -> list[Piece]:
    """Return a piece for every chunk and group."""
    chunks = enumerate(chunks_of(length))
    return [Piece(first, count, index, group=group) for index, (first, count) in chunks for group in range(groups)]


def whole_and_rest(length: int) -> list[Piece]:
    """Return a piece of all whole chunks, and one of what is left."""
    whole, rest = divmod(length, CHUNK)
    pieces = [Piece(0, CHUNK, 0, chunks=whole)] if whole else []
    return [*pieces, Piece(whole * CHUNK, rest, whole)] if rest else pieces


def grouped(scan: Scan) -> Scan:
    """Cut heads into groups: delta (..., T, G, R), A (G, R), D (G, R, P), u (..., T, G, R, P), h (..., G, R P, N)."""
    groups = scan.B.shape[-2]
    return Scan(
        torch.unflatten(scan.delta, -1, (groups, -1)),
        torch.unflatten(scan.A, -1, (groups, -1)),
        scan.B,
        scan.C,
        torch.unflatten(scan.D, -2, (groups, -1)),
        torch.unflatten(scan.u, -2, (groups, -1)),
        grouped_states(scan.h, groups),
    )


def grouped_states(states: Tensor, groups: int) -> Tensor:
    """(..., H, P, N) to (..., G, R P, N)."""
    return torch.unflatten(states, -3, (groups, -1)).flatten(-3, -2)
