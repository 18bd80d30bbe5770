"""The tangent sweep against the whole-sequence derivative, whatever the tile, the directions, the threads."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.func import jvp

from pgf_cli.core.directions import Contrast
from pgf_cli.core.models.protocol import StreamingModel
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.sweeps import response, tangent_sweep
from pgf_cli.core.threads import available_threads, set_threads

CPU = torch.device("cpu")


class RandomDirections:
    """K directions that depend on the position alone."""

    begins = 0

    def __init__(self, directions: list[int]) -> None:
        self.count = len(directions)
        self.table = torch.randn(8, 2000, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))[
            directions
        ]

    def tangents(self, start: int, x: Tensor) -> Tensor:
        return self.table[:, start : start + len(x)].to(x.dtype)


class LookaheadModel(StreamingModel):
    """A non-linear recurrence whose initial state is a function of the first two inputs; no analytic derivative."""

    lookahead = 2

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.weight = torch.nn.Parameter(torch.randn(5, 3, generator=generator, dtype=torch.float64))

    def initial_state(self, first: Tensor) -> Tensor:
        return torch.tanh((first @ self.weight).sum(0))

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        rows = []
        for row in x @ self.weight:
            state = torch.sin(0.9 * state + row)
            rows.append(state)
        return torch.stack(rows), state


def sweep(model, codes, direction=None, tile=None, **where):
    where = {"end": len(codes)} | where
    tiles = list(tangent_sweep(model, codes, direction or Contrast(), tile=tile or len(codes), **where))
    return torch.cat([tile.y_dot for tile in tiles], dim=1)


def whole_sequence_derivative(model, codes, v):
    x = one_hot(codes, torch.float64, CPU)
    return jvp(lambda x: model(x, model.initial_state(x[: model.lookahead]))[0], (x,), (v,))[1]


@pytest.mark.parametrize("tile", [1, 2, 3, 7, 64, 1000])
@pytest.mark.parametrize("length", [1, 2, 50])
def test_any_streaming_model_gets_its_exact_derivative_lookahead_included(tile, length, dna):
    model, codes = LookaheadModel().requires_grad_(False), dna(length)
    x = one_hot(codes, torch.float64, CPU)
    expected = whole_sequence_derivative(model, codes, Contrast().tangents(0, x)[0])
    torch.testing.assert_close(sweep(model, codes, tile=tile)[0], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("tile", [1, 7, 64, 1000])
def test_tangent_does_not_depend_on_where_tiles_end(tile, dtype, bound, toy_mamba, dna):
    model, codes = toy_mamba.to(dtype), dna(1100, n_run=70)
    one_tile = sweep(model, codes)
    assert torch.linalg.norm(sweep(model, codes, tile=tile) - one_tile) <= bound * torch.linalg.norm(one_tile)


def test_tangent_equals_the_whole_sequence_forward_mode_derivative(toy_mamba, dna):
    codes = dna(120, n_run=30)
    x = one_hot(codes, torch.float64, CPU)
    expected = whole_sequence_derivative(toy_mamba, codes, Contrast().tangents(0, x)[0])
    torch.testing.assert_close(sweep(toy_mamba, codes, tile=16)[0], expected, rtol=1e-10, atol=1e-13)


def test_several_directions_in_one_sweep_equal_one_sweep_each(toy_mamba, dna):
    codes = dna(200)
    together = sweep(toy_mamba, codes, RandomDirections([0, 1, 2, 3]), tile=33)
    apart = [sweep(toy_mamba, codes, RandomDirections([k]), tile=33)[0] for k in range(4)]
    torch.testing.assert_close(together, torch.stack(apart), rtol=1e-11, atol=1e-13)


def test_the_number_of_threads_does_not_change_a_byte(make_mamba, dna):
    model, codes = make_mamba(d_model=36, d_inner=100, dt_rank=5).to(torch.float32), dna(700)
    results = []
    for threads in (1, 2, 4):
        set_threads(threads)
        results.append(sweep(model, codes, tile=301).numpy().tobytes())
    set_threads(available_threads())
    assert results[0] == results[1] == results[2]


def test_a_sweep_that_starts_inside_a_record_reads_nothing_before(toy_mamba, dna):
    codes = dna(90)
    inside = sweep(toy_mamba, codes, start=40, end=80, tile=16)
    torch.testing.assert_close(inside, sweep(toy_mamba, codes[40:80], tile=40), rtol=1e-12, atol=1e-14)


def test_contrast_is_this_base_against_a_uniform_one_and_nothing_at_n():
    x = one_hot(np.array([1, 4], dtype=np.uint8), torch.float64, CPU)
    expected = torch.tensor([[-0.25, 0.75, -0.25, -0.25, 0.0], [0.0] * 5], dtype=torch.float64)
    torch.testing.assert_close(Contrast().tangents(0, x)[0], expected)


def test_response_is_a_norm_over_channels_and_a_root_mean_square_over_directions():
    y_dot = torch.tensor([[[3.0, 4.0]], [[0.0, 12.0]]])
    assert response(y_dot).item() == pytest.approx(np.sqrt((25 + 144) / 2))
    assert response(torch.full((1, 1, 4), 1e-30)).item() == pytest.approx(2e-30)
