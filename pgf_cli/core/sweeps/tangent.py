"""The tangent sweep: y_dot = J v in one left-to-right pass, in memory that does not depend on the length."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from pgf_cli.core.bases import BaseCodes, BaseSequence, one_hot
from pgf_cli.core.directions import Direction
from pgf_cli.core.models.protocol import StreamingModel


class TangentTile(NamedTuple):
    """What a tangent sweep yields for each tile."""

    start: int
    """0-based position of the tile's first base in its record."""
    bases: BaseCodes
    """Base codes, (T,)."""
    y: Tensor
    """The model's output, (T, C)."""
    y_dot: Tensor
    """Its derivative along K directions, (K, T, C)."""


def tangent_sweep(
    model: StreamingModel, sequence: BaseSequence, direction: Direction, *, start: int = 0, end: int, tile: int
) -> Iterator[TangentTile]:
    """Yield the output and its exact derivative along K directions, tile by tile.

    State and tangent state are handed from tile to tile, so the derivative is that of the whole sequence
    ``sequence[start:end]`` and is never cut at a tile's edge. To the model, ``start`` is a sequence's first base.

    Args:
        model: any streaming model.
        sequence: base codes of the record.
        direction: the K directions.
        start: 0-based position of the first base read.
        end: one past the last base read.
        tile: bases per tile; the last one may be shorter.

    Source: Phase Gradient Flow by tiled operator-space evolution, arXiv 2512.23068.
    """

    def read(first: int, last: int) -> tuple[BaseCodes, Tensor, Tensor]:
        codes = sequence[first:last]
        x = one_hot(codes, model.dtype, model.device)
        return codes, x, direction.tangents(first, x)

    with torch.no_grad():
        _, x, v = read(start, min(end, start + model.lookahead))
        state, state_dot = model.initial_jvp(x, v)
    for first in range(start, end, tile):
        # Grad mode is global to the thread: entered anew for each tile, it does not leak into the caller's code.
        with torch.no_grad():
            codes, x, v = read(first, min(end, first + tile))
            y, y_dot, state, state_dot = model.jvp(x, v, state, state_dot)
        yield TangentTile(first, codes, y, y_dot)


def response(y_dot: Tensor) -> Tensor:
    """Return the response (T,): the 2-norm of y_dot (K, T, C) over the output's channels, root mean square over K.

    Summed in float64, so that squares of small responses do not underflow; returned in y_dot's own format.
    """
    squares = y_dot.to(torch.float64).square().sum(-1).mean(0)
    return squares.sqrt().to(y_dot.dtype)
