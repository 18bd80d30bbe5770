"""Responses at the seam: tile by tile the numbers of autograd over the whole stretch in float64."""

import pytest
import torch

from pgf_cli.core.directions import Contrast, Pulse, Pulses
from pgf_cli.sweeps import responses

# None divides what is read; the last one is longer.
TILES = [1, 7, 32, 1000]


def joined(tiles, what="y_dot"):
    return torch.cat([getattr(tile, what)[0] for tile in tiles])


@pytest.mark.parametrize(("tile", "start"), [(1, 13), (7, 0), (32, 13), (1000, 0)])
def test_tiles_are_the_derivative_of_the_whole_stretch(toy_mamba, codes, record, autograd, tile, start):
    tiles = list(responses(toy_mamba, record, Contrast(), start=start, end=len(codes) - 4, tile=tile))
    assert [one.start for one in tiles] == list(range(start, len(codes) - 4, tile))
    assert [code for one in tiles for code in one.bases] == list(codes[start:-4])
    whole = autograd(toy_mamba, codes[start:-4])
    (expected,) = whole.along(Contrast().tangents(start, whole.x)[0])
    torch.testing.assert_close(joined(tiles), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("tile", TILES)
def test_a_ghost_is_the_response_to_a_direction_that_ends_blocks_before(toy_mamba, codes, record, autograd, tile):
    distance = 25
    tiles = list(responses(toy_mamba, record, Contrast(), start=0, end=len(codes), tile=tile, ghost_distance=distance))
    whole = autograd(toy_mamba, codes)
    v = Contrast().tangents(0, whole.x)[0]
    ghost = joined(tiles, "ghost_dot")
    blocks = range(0, len(codes), distance)
    old = [torch.cat([v[: max(0, block - distance)], 0 * v[max(0, block - distance) :]]) for block in blocks]
    for block, expected in zip(blocks, whole.along(*old), strict=True):
        here = slice(block, block + distance)
        torch.testing.assert_close(ghost[here], expected[here], rtol=1e-9, atol=1e-12)
    assert ghost[2 * distance :].abs().max() > 0


def test_a_sweep_that_goes_on_from_an_edge_gives_the_bytes_of_the_rest(toy_mamba, codes, record):
    options = {"start": 5, "end": len(codes), "tile": 32, "ghost_distance": 50}
    direction = Pulses([Pulse(60)])
    whole = list(responses(toy_mamba, record, direction, **options))
    for number, tile in enumerate(whole[:-1], start=1):
        rest = list(responses(toy_mamba, record, direction, **options, begin=tile.after))
        assert [one.start for one in rest] == [one.start for one in whole[number:]]
        assert torch.equal(joined(rest), joined(whole[number:]))
