"""Neighbouring tiles joined, where a call costs more than the bases of one tile."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from pgf_cli.tracks.tile import ScoredTile

CHUNK_BASES = 16_384


def rechunk(tiles: Iterable[ScoredTile]) -> Iterator[ScoredTile]:
    """Join neighbours, which come from left to right, to tiles of some 16,000 bases.

    A gap and a new record end a tile; what comes out holds the same bases in the same order.
    """
    waiting: list[ScoredTile] = []
    count = 0
    for tile in tiles:
        if waiting and (count >= CHUNK_BASES or not _follows(waiting[-1], tile)):
            yield _joined(waiting)
            waiting, count = [], 0
        waiting.append(tile)
        count += len(tile.bases)
    if waiting:
        yield _joined(waiting)


def _follows(left: ScoredTile, right: ScoredTile) -> bool:
    return left.contig == right.contig and left.start + len(left.bases) == right.start


def _joined(tiles: Sequence[ScoredTile]) -> ScoredTile:
    values = {name: np.concatenate([tile.values[name] for tile in tiles]) for name in tiles[0].values}
    return ScoredTile(tiles[0].contig, tiles[0].start, np.concatenate([tile.bases for tile in tiles]), values)
