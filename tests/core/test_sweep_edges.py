"""A sweep that goes on from a kept edge gives the bytes of the sweep that was not broken off."""

import numpy as np
import pytest
import torch

from pgf_cli.core.directions import Contrast, Pulse, Pulses
from pgf_cli.core.models import FrechetConfig, FrechetModel
from pgf_cli.core.objectives import LogLikelihood, SumOutputs, Targets
from pgf_cli.core.sweeps import adjoint_sweep, tangent_edge, tangent_sweep

LENGTH, TILE = 301, 32
CPU = torch.device("cpu")


@pytest.fixture
def codes():
    bases = np.random.default_rng(4).integers(0, 4, LENGTH, dtype=np.uint8)
    bases[90:99] = 4
    return bases


@pytest.fixture(params=["mamba", "frechet"])
def model(request, toy_mamba):
    if request.param == "mamba":
        return toy_mamba
    model = FrechetModel(FrechetConfig(d_model=6, d_state=4, embedded=True)).to(torch.float64).requires_grad_(False)
    generator = torch.Generator().manual_seed(2)
    for parameter in model.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.4)
    return model


def values(tiles):
    return [(tile.start, tile.y_dot, tile.ghost_dot) for tile in tiles]


@pytest.mark.parametrize("ghost_distance", [None, 50])
@pytest.mark.parametrize("direction", [Contrast(), Pulses([Pulse(120)])])
def test_a_tangent_goes_on_from_every_edge_to_the_same_bytes(model, codes, ghost_distance, direction):
    options = {"start": 7, "end": LENGTH, "tile": TILE, "ghost_distance": ghost_distance}
    whole = list(tangent_sweep(model, codes, direction, **options))
    for number, tile in enumerate(whole[:-1]):
        rest = tangent_sweep(model, codes, direction, **options, begin=tile.after)
        for got, expected in zip(values(rest), values(whole[number + 1 :]), strict=True):
            assert got[0] == expected[0]
            assert torch.equal(got[1], expected[1])
            assert (got[2] is None and expected[2] is None) or torch.equal(got[2], expected[2])


@pytest.mark.parametrize("ghost_distance", [None, 50, 31])
def test_edges_are_those_between_the_tiles(model, codes, ghost_distance):
    options = {"start": 7, "tile": TILE, "ghost_distance": ghost_distance}
    tiles = list(tangent_sweep(model, codes, Contrast(), end=LENGTH, **options))
    edges = [tile.start for tile in tiles] + [LENGTH]
    for position in range(7, tiles[-1].start + 1):
        assert tangent_edge(position, **options) == min(edge for edge in edges if edge >= position)


@pytest.mark.parametrize("kind", ["loglik", "sum of a few"])
def test_an_adjoint_goes_on_from_every_edge_to_the_same_bytes(model, codes, kind):
    channels = 4 if model.output == "logprobs" else 6
    objective = SumOutputs(Targets([(100, 140)]), channels, model.dtype, CPU)
    if kind == "loglik" and model.output == "logprobs":
        objective = LogLikelihood(None, model.dtype, CPU)
    options = {"start": 7, "end": LENGTH, "tile": TILE}
    whole = list(adjoint_sweep(model, codes, objective, **options))
    assert sum(tile.value for tile in whole) != 0
    for number, tile in enumerate(whole[:-1]):
        if tile.before is None:
            assert tile.start < 7 + model.lookahead
            continue
        rest = list(adjoint_sweep(model, codes, objective, **options, begin=tile.before))
        for got, expected in zip(rest, whole[number + 1 :], strict=True):
            assert (got.start, got.value) == (expected.start, expected.value)
            assert torch.equal(got.x_bar, expected.x_bar)
