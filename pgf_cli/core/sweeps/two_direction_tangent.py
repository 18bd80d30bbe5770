"""The tangent sweep of a two-direction model: a layer at a time, primal and tangents together.

A ghost cannot be carried as in one direction, by letting tangents of past blocks go: what a block seeds comes back to
it by way of bases further on. So each block of W bases is a direction of its own. Their sum is the tangent, and those
of blocks that are neither a base's own nor next to it are its ghost, exactly: L / W tangents, a few at a time.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from pgf_cli.core.bases import BaseSequence
from pgf_cli.core.directions import Direction
from pgf_cli.core.models.two_direction import TwoDirectionModel
from pgf_cli.core.objectives import Targets
from pgf_cli.core.sweeps.device import HostLink
from pgf_cli.core.sweeps.features import FeatureRoom, Features, FeatureSpace
from pgf_cli.core.sweeps.layers import Layers, Tiles
from pgf_cli.core.sweeps.tangent_tile import TangentTile
from pgf_cli.core.sweeps.told import Portions
from pgf_cli.core.sweeps.two_direction import BlockTangents, Ends

TANGENTS_AT_ONCE = 8
"""Directions that are swept beside one primal, at most."""


def two_direction_tangent_sweep(
    model: TwoDirectionModel,
    sequence: BaseSequence,
    direction: Direction,
    *,
    start: int,
    end: int,
    tile: int,
    ghost_distance: int | None,
    space: FeatureSpace,
    masked: Targets | None,
    advance: Callable[[int], None],
) -> Iterator[TangentTile]:
    """Yield the output and its exact derivative along K directions, tile by tile; see ``tangent_sweep``."""
    length, link = end - start, HostLink(model.device)
    tiles, ends = Tiles(length, tile), Ends(model, sequence, start, masked, link)
    room = FeatureRoom(space, model.device, model.dtype)
    block = length if ghost_distance is None else ghost_distance
    blocks = -(-length // block)
    at_once = max(1, TANGENTS_AT_ONCE // direction.count)
    groups = [
        BlockTangents(direction, start, block, first, min(blocks, first + at_once))
        for first in range(0, blocks, at_once)
    ]
    visits = len(groups) * sum(
        len({one.backwards for one in model.passes(layer)}) for layer in range(model.layers_count)
    )
    layers = Layers(model, tiles, link, Portions(length, visits * length, advance))
    sums = _Sums(room, tiles, direction.count, ghosts=ghost_distance is not None)
    for number, group in enumerate(groups):
        features = _swept(model, ends, layers, tiles, group, room, link)
        for first, last in tiles:
            with link.computing():
                stack = ends.outputs(features.read(first, last)).cpu()
                y, dots = stack[0], stack[1:].view(-1, direction.count, *stack.shape[1:])
                total, ghost = sums.added(number, first, last, dots, group)
            if number == len(groups) - 1:
                codes = ends.codes(first, last)
                yield TangentTile(start + first, codes, y, total, ghost, None)


def _swept(
    model: TwoDirectionModel,
    ends: Ends,
    layers: Layers,
    tiles: Tiles,
    group: BlockTangents,
    room: FeatureRoom,
    link: HostLink,
) -> Features:
    """The features after the last layer, with the tangents of a group of blocks."""
    shape = (model.streams, 1 + group.count, tiles.length, model.features)
    source, target = room.make(shape), room.make(shape)
    for first, last in tiles:
        with link.computing():
            source.write(first, last, ends.features(first, last, lambda x, at=first: group.tangents(at, x)))  # type: ignore[misc]
    for layer in range(model.layers_count):
        layers.forward(layer, source, target, group.count)
        source, target = target, source
    return source


class _Sums:
    """The tangent and its ghost, added up over groups of blocks."""

    def __init__(self, room: FeatureRoom, tiles: Tiles, directions: int, *, ghosts: bool) -> None:
        self._room, self._tiles, self._directions, self._ghosts = room, tiles, directions, ghosts
        self._kept: Features | None = None

    def added(
        self, number: int, first: int, last: int, dots: Tensor, group: BlockTangents
    ) -> tuple[Tensor, Tensor | None]:
        """Add a group's tangents (blocks, K, T, C) of a tile; return the sums so far."""
        if not self._ghosts:
            return dots.sum(0), None
        sums = torch.stack([dots.sum(0), (dots * group.far_from(first, last - first)).sum(0)])
        if self._kept is None:
            self._kept = self._room.make((2, self._directions, self._tiles.length, dots.shape[-1]))
        if number:
            sums += self._kept.read(first, last).cpu()
        self._kept.write(first, last, sums)
        return sums[0], sums[1]
