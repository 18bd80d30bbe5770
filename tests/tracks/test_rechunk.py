"""Joined tiles against the tiles they came from."""

import numpy as np
import pytest

from pgf_cli.tracks.rechunk import CHUNK_BASES, rechunk
from pgf_cli.tracks.tile import ScoredTile


def tile(contig, start, length):
    positions = np.arange(start, start + length)
    values = {"response": positions.astype(np.float32), "ghost": -positions.astype(np.float32)}
    return ScoredTile(contig, start, (positions % 5).astype(np.uint8), values)


@pytest.mark.parametrize("size", [1000, CHUNK_BASES - 1, CHUNK_BASES, 3 * CHUNK_BASES])
def test_every_base_comes_out_once_in_order_with_its_own_values(size):
    length = 5 * CHUNK_BASES + 17
    joined = list(rechunk(tile("chr1", at, min(size, length - at)) for at in range(0, length, size)))
    assert len(joined) <= length / CHUNK_BASES + 1
    whole = tile("chr1", 0, length)
    assert [part.start for part in joined] == np.cumsum([0, *(len(part.bases) for part in joined[:-1])]).tolist()
    np.testing.assert_array_equal(np.concatenate([part.bases for part in joined]), whole.bases)
    for track, values in whole.values.items():
        np.testing.assert_array_equal(np.concatenate([part.values[track] for part in joined]), values)


def test_gaps_and_new_records_are_kept():
    parts = [tile("chr1", 0, 10), tile("chr1", 10, 5), tile("chr1", 20, 5), tile("chr2", 25, 5)]
    joined = [(part.contig, part.start, len(part.bases)) for part in rechunk(parts)]
    assert joined == [("chr1", 0, 15), ("chr1", 20, 5), ("chr2", 25, 5)]


def test_nothing_gives_nothing():
    assert list(rechunk([])) == []
