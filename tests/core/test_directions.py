"""Directions: pulses, variants and random ones, and what a sweep does along them."""

import numpy as np
import pytest
import torch
from torch.func import jvp

from pgf_cli.core.directions import Contrast, Pulse, Pulses, RandomNormal
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.sweeps import response, tangent_sweep

CPU = torch.device("cpu")


def sweep(model, codes, direction, tile=17, **options):
    return list(tangent_sweep(model, codes, direction, end=len(codes), tile=tile, **options))


def whole_sequence_derivative(model, codes, v):
    x = one_hot(codes, torch.float64, CPU)
    return jvp(lambda x: model(x, model.initial_state(x[: model.lookahead]))[0], (x,), (v,))[1]


def test_the_contrast_direction_is_the_sum_of_a_pulse_at_every_base(dna):
    x = one_hot(dna(40, n_run=6), torch.float64, CPU)
    pulses = Pulses([Pulse(at) for at in range(40)])
    torch.testing.assert_close(pulses.tangents(0, x), Contrast().tangents(0, x))


def test_a_variant_is_the_difference_of_two_bases_and_repeats_add_up():
    x = one_hot(np.array([0, 1, 2], dtype=np.uint8), torch.float64, CPU)
    v = Pulses([Pulse(11, alt=3), Pulse(11, alt=3), Pulse(12)]).tangents(10, x)
    expected = torch.tensor([[0, 0, 0, 0, 0], [0, -2, 0, 2, 0], [-0.25, -0.25, 0.75, -0.25, 0]], dtype=torch.float64)
    torch.testing.assert_close(v[0], expected)


@pytest.mark.parametrize("tile", [1, 10, 16, 1000])
@pytest.mark.parametrize("position", [0, 1, 37, 79])
def test_the_response_to_a_pulse_is_exact_and_exactly_zero_before_it(tile, position, toy_mamba, dna):
    codes, direction = dna(80), Pulses([Pulse(position, alt=None)])
    y_dot = torch.cat([part.y_dot[0] for part in sweep(toy_mamba, codes, direction, tile)])
    x = one_hot(codes, torch.float64, CPU)
    expected = whole_sequence_derivative(toy_mamba, codes, direction.tangents(0, x)[0])
    torch.testing.assert_close(y_dot, expected, rtol=1e-10, atol=1e-13)
    assert (y_dot[:position] == 0).all()
    assert (y_dot[position] != 0).any()


def test_a_variant_s_response_is_the_first_order_effect_of_the_substitution(toy_mamba, dna):
    codes = dna(60)
    position, alt = 20, (int(codes[20]) + 1) % 4
    y_dot = torch.cat([part.y_dot[0] for part in sweep(toy_mamba, codes, Pulses([Pulse(position, alt)]))])
    x = one_hot(codes, torch.float64, CPU)
    step = torch.zeros_like(x)
    step[position, alt], step[position, codes[position]] = 1e-5, -1e-5
    ahead, behind = (toy_mamba(moved, toy_mamba.initial_state(moved[:0]))[0] for moved in (x + step, x - step))
    torch.testing.assert_close(y_dot, (ahead - behind) / 2e-5, rtol=1e-6, atol=1e-8)


def test_separate_pulses_in_one_sweep_equal_a_sweep_each(toy_mamba, dna):
    codes, pulses = dna(70), [Pulse(50), Pulse(10, alt=0), Pulse(33, alt=1)]
    together = torch.cat([part.y_dot for part in sweep(toy_mamba, codes, Pulses(pulses, separate=True))], dim=1)
    apart = [torch.cat([part.y_dot[0] for part in sweep(toy_mamba, codes, Pulses([pulse]))]) for pulse in pulses]
    torch.testing.assert_close(together, torch.stack(apart), rtol=1e-11, atol=1e-14)


def test_before_the_first_pulse_only_the_primal_is_swept(toy_mamba, dna, monkeypatch):
    right, directions = type(toy_mamba).jvp, []

    def spy(self, x, x_dot, *state):
        directions.append(len(x_dot))
        return right(self, x, x_dot, *state)

    monkeypatch.setattr(type(toy_mamba), "jvp", spy)
    sweep(toy_mamba, dna(50), Pulses([Pulse(25), Pulse(40)]), tile=10, ghost_distance=15)
    # Tiles end at 10, 20, ... and at the blocks of 15.
    assert directions == [0, 0, 0, 3, 3, 3, 3]


@pytest.mark.parametrize("tile", [1, 7, 3000])
def test_random_directions_do_not_depend_on_the_tile(tile, dna):
    x = one_hot(dna(2500, n_run=20), torch.float64, CPU)
    direction = RandomNormal(2, seed=3, contig="chr1")
    whole = direction.tangents(0, x)
    tiles = [direction.tangents(start, x[start : start + tile]) for start in range(1000, 1200, tile)]
    assert torch.equal(torch.cat(tiles, dim=1)[:, :200], whole[:, 1000:1200])


def test_random_directions_are_standard_normal_and_zero_at_n(dna):
    x = one_hot(dna(50_000, n_run=100), torch.float64, CPU)
    v = RandomNormal(3, seed=0, contig="chr1").tangents(0, x)
    is_n = x[:, 4] == 1
    assert (v[:, is_n] == 0).all()
    assert (v[:, :, 4] == 0).all()
    numbers = v[:, ~is_n, :4].flatten().numpy()
    ranks = (np.arange(len(numbers)) + 0.5) / len(numbers)
    distance = np.abs(np.sort(torch.special.ndtr(torch.from_numpy(numbers)).numpy()) - ranks).max()
    # The 1-in-1,000 critical value of Kolmogorov's statistic.
    assert distance < 1.95 / np.sqrt(len(numbers))
    assert np.abs(np.corrcoef(v[:, ~is_n, :4].reshape(3, -1).numpy()) - np.eye(3)).max() < 0.01


def test_random_directions_differ_between_seeds_records_and_indices():
    x = one_hot(np.zeros(10, dtype=np.uint8), torch.float64, CPU)
    drawn = [
        RandomNormal(2, seed=seed, contig=contig).tangents(0, x)
        for seed, contig in ((0, "chr1"), (1, "chr1"), (0, "chr2"))
    ]
    numbers = torch.stack(drawn).view(6, -1)
    assert len({tuple(row.tolist()) for row in numbers}) == 6
    assert torch.equal(RandomNormal(2, seed=0, contig="chr1").tangents(0, x), drawn[0])


@pytest.mark.parametrize("tile", [5, 64])
def test_the_ghost_track_is_the_response_to_a_direction_that_is_zero_in_the_last_blocks(tile, toy_mamba, dna):
    distance, codes = 40, dna(500, n_run=30)
    tiles = sweep(toy_mamba, codes, Contrast(), tile, ghost_distance=distance)
    ghost = response(torch.cat([part.ghost_dot for part in tiles], dim=1))

    class Upstream:
        count, begins = 1, 0

        def __init__(self, before):
            self.before = before

        def tangents(self, start, x):
            v = Contrast().tangents(start, x)
            v[:, max(0, self.before - start) :] = 0
            return v

    for position in np.random.default_rng(0).integers(0, 500, 50):
        block = position // distance * distance
        separate = sweep(toy_mamba, codes[: position + 1], Upstream(block - distance), 100)
        expected = response(separate[-1].y_dot)[-1]
        torch.testing.assert_close(ghost[position], expected, rtol=1e-9, atol=0)
        assert (ghost[position] == 0) == (position < 2 * distance)


def test_carrying_ghosts_does_not_change_the_response(toy_mamba, dna):
    codes, direction = dna(300), RandomNormal(2, seed=1, contig="c")
    plain, ghostly = (
        torch.cat([part.y_dot for part in sweep(toy_mamba, codes, direction, 64, ghost_distance=distance)], dim=1)
        for distance in (None, 50)
    )
    torch.testing.assert_close(ghostly, plain, rtol=1e-11, atol=1e-13)
