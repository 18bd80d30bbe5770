"""Two-direction sweeps against Caduceus written out in the test (`two_direction_oracle`) and float64 autograd."""

import numpy as np
import pytest
import torch
from two_direction_oracle import Oracle

from pgf_cli.core.certificate import certify, relative_error
from pgf_cli.core.directions import Contrast, RandomNormal
from pgf_cli.core.models import BaseIds
from pgf_cli.core.models.caduceus import CaduceusConfig, CaduceusLM, CaduceusMamba2Config, CaduceusMamba2LM
from pgf_cli.core.objectives import SumOutputs, Targets
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.sweeps import FeatureSpace, adjoint_sweep, features, tangent_sweep

IDS = BaseIds(7, 8, 9, 10, 11)
COMPLEMENT = [0, 1, 2, 3, 4, 5, 6, 10, 9, 8, 7, 11, 12, 13, 14, 15]
KINDS = {
    "PH": {},
    "PS": {"both_strands": True, "swapped": True},
    "PS not fused": {"both_strands": True},
    "PH untied": {"tied": False},
    "PH, Mamba-2": {"mamba2": True},
    "PS, Mamba-2": {"mamba2": True, "both_strands": True, "swapped": True},
    "PS, Mamba-2, not fused": {"mamba2": True, "both_strands": True},
}
BOTH_MIXERS = ("PH", "PS", "PH, Mamba-2", "PS, Mamba-2")


MAMBA = {"d_inner": 14, "dt_rank": 2}
MAMBA2 = {"heads": 4, "head_dim": 3, "groups": 2}


def random_caduceus(output="logprobs", dtype=torch.float64, *, mamba2=False, **settings):
    """A model whose every tensor is random."""
    kind, make, own = (
        (CaduceusMamba2Config, CaduceusMamba2LM, MAMBA2) if mamba2 else (CaduceusConfig, CaduceusLM, MAMBA)
    )
    sizes = {"d_model": 8, "n_layer": 3, "d_state": 4, "d_conv": 4, "vocab_size": 16}
    config = kind(**sizes | own | settings, mask_id=3)
    model = make(config, IDS, output).to(torch.float64).requires_grad_(False)
    generator = torch.Generator().manual_seed(11)
    for name, weight in model.named_parameters():
        weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float64) * 0.4)
        if "norm" in name:
            weight.add_(1.0)
    if config.both_strands:
        model.complement.copy_(torch.tensor(COMPLEMENT))
    return model.to(dtype)


def sequence(length, n_run=0):
    codes = np.random.default_rng(length).integers(0, 4, length, dtype=np.uint8)
    codes[length // 2 : length // 2 + n_run] = 4
    return codes


def tangents(model, codes, direction, tile=16, **options):
    tiles = list(tangent_sweep(model, codes, direction, end=len(codes), tile=tile, **options))
    assert np.array_equal(np.concatenate([one.bases for one in tiles]), codes)
    y, y_dot = torch.cat([one.y for one in tiles]), torch.cat([one.y_dot for one in tiles], dim=1)
    ghost = None if tiles[0].ghost_dot is None else torch.cat([one.ghost_dot for one in tiles], dim=1)
    return y, y_dot, ghost


class Weights:
    """A random objective <w, y>."""

    def __init__(self, w):
        self.w = w

    def weights(self, start, codes, following):
        return self.w[start : start + len(codes)]


def gradient(model, codes, w, tile=16, **options):
    sweep = adjoint_sweep(model, codes, Weights(w), end=len(codes), tile=tile, **options)
    tiles = list(sweep)[::-1]
    return torch.cat([one.y for one in tiles]), torch.cat([one.x_bar for one in tiles]), sweep


def random_weights(like):
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def autograd(oracle, codes, w, v):
    """y, J^T w without what stands at N, and J v, by torch's reverse and forward mode."""
    x = one_hot(codes, torch.float64, torch.device("cpu"))
    y, pull_back = torch.func.vjp(oracle, x)
    x_bar = pull_back(w if w is not None else torch.ones_like(y))[0] * (1 - x[:, 4:])
    x_bar[:, 4] = 0
    y_dot = torch.func.vmap(lambda one: torch.func.jvp(oracle, (x,), (one,))[1])(torch.stack(list(v)))
    return y, x_bar, y_dot


@pytest.mark.parametrize(
    ("kind", "length", "n_run", "tile"),
    [
        *((kind, length, n_run, 16) for kind in ("PH", "PS") for length, n_run in ((1, 0), (2, 0), (3, 1))),
        *((kind, 22, 4, tile) for kind in ("PH", "PS") for tile in (1, 16, 64)),
        ("PS not fused", 22, 4, 5),
        ("PH untied", 22, 4, 5),
        ("PH, Mamba-2", 3, 1, 16),
        ("PH, Mamba-2", 22, 4, 16),
        ("PS, Mamba-2", 19, 4, 1),
        ("PS, Mamba-2", 22, 4, 16),
        ("PS, Mamba-2, not fused", 22, 4, 5),
    ],
)
def test_both_sweeps_equal_autograd_through_the_formulas_written_out(kind, length, n_run, tile):
    model, codes = random_caduceus(**KINDS[kind]), sequence(length, n_run)
    oracle = Oracle(model, model.config, swap=model.config.swapped).logprobs
    direction = RandomNormal(2, 5, "chr")
    v = direction.tangents(0, one_hot(codes, torch.float64, torch.device("cpu")))
    y, y_dot, _ = tangents(model, codes, direction, tile)
    w = random_weights(y)
    y_there, x_bar_there, y_dot_there = autograd(oracle, codes, w, v)
    y_again, x_bar, _ = gradient(model, codes, w, tile)
    assert relative_error(y, y_there) < 1e-12
    assert torch.equal(y, y_again) or relative_error(y, y_again) < 1e-14
    assert relative_error(y_dot, y_dot_there) < 1e-11
    assert relative_error(x_bar, x_bar_there) < 1e-11
    # The adjoint identity, direction by direction.
    for one, dot in zip(v, y_dot, strict=True):
        gap = abs((w * dot).sum() - (x_bar * one).sum()) / dot.norm()
        assert gap < 1e-12


@pytest.mark.parametrize("kind", ["PS", "PS, Mamba-2"])
def test_leaving_the_exchange_of_strands_out_is_another_model(kind):
    model, codes = random_caduceus(**KINDS[kind]), sequence(20)
    y, *_ = tangents(model, codes, Contrast())
    x = one_hot(codes, torch.float64, torch.device("cpu"))
    assert relative_error(y, Oracle(model, model.config, swap=False).logprobs(x)) > 0.05
    assert relative_error(y, Oracle(model, model.config, swap=True).logprobs(x)) < 1e-12


@pytest.mark.parametrize("output", ["logits", "hidden"])
@pytest.mark.parametrize("kind", ["PH", "PS"])
def test_every_output_layer_equals_its_definition_and_autograd(kind, output):
    model, codes = random_caduceus(output, **KINDS[kind]), sequence(21, 2)
    v = Contrast().tangents(0, one_hot(codes, torch.float64, torch.device("cpu")))
    y, y_dot, _ = tangents(model, codes, Contrast())
    w = random_weights(y)
    y_there, x_bar_there, y_dot_there = autograd(model.whole, codes, w, v)
    assert relative_error(y, y_there) < 1e-12
    assert relative_error(y_dot, y_dot_there) < 1e-11
    assert relative_error(gradient(model, codes, w)[1], x_bar_there) < 1e-11


@pytest.mark.parametrize("kind", BOTH_MIXERS)
def test_float32_is_within_rounding_of_float64(kind):
    codes = sequence(60, 3)
    # Of three such layers float32 autograd itself is off by 1e-5.
    exact, single = (random_caduceus(dtype=dtype, n_layer=2, **KINDS[kind]) for dtype in (torch.float64, torch.float32))
    y, y_dot, _ = tangents(exact, codes, Contrast())
    w = random_weights(y)
    assert relative_error(tangents(single, codes, Contrast())[1], y_dot) < 1e-5
    assert relative_error(gradient(single, codes, w.float())[1], gradient(exact, codes, w)[1]) < 1e-5


@pytest.mark.parametrize("kind", ["PH", "PS"])
@pytest.mark.parametrize("distance", [4, 24])
def test_ghosts_are_what_blocks_further_off_do_on_either_side(kind, distance):
    """The response to bases outside a base's own block of W and its neighbours, one autograd direction each."""
    model, codes = random_caduceus(**KINDS[kind]), sequence(24, 3)
    v = Contrast().tangents(0, one_hot(codes, torch.float64, torch.device("cpu")))[0]
    _, y_dot, ghost = tangents(model, codes, Contrast(), tile=7, ghost_distance=distance)
    blocks = torch.arange(24) // distance
    seeded = [v * (blocks == block)[:, None] for block in range(int(blocks[-1]) + 1)]
    *_, dots = autograd(Oracle(model, model.config, swap=model.config.swapped).logprobs, codes, None, seeded)
    far = (blocks[None] - torch.arange(len(seeded))[:, None]).abs() > 1
    assert relative_error(y_dot[0], dots.sum(0)) < 1e-11
    expected = (dots * far[..., None]).sum(0)
    assert (expected.norm() > 0) == (distance < 12)
    assert (ghost[0] - expected).norm() <= 1e-11 * y_dot.norm()


@pytest.mark.parametrize("kind", ["PH", "PS"])
def test_features_on_disk_and_in_memory_give_the_same_bytes(kind, tmp_path, monkeypatch):
    model, codes = random_caduceus(**KINDS[kind]), sequence(50)
    w = random_weights(torch.empty(50, 4))
    on_disk = {"space": FeatureSpace(0, tmp_path)}
    made, kind_of = [], features._MemoryFeatures
    monkeypatch.setattr(features, "_MemoryFeatures", lambda rows: made.append(rows.shape) or kind_of(rows))
    there = tangents(model, codes, Contrast(), ghost_distance=11, **on_disk)
    pulled = gradient(model, codes, w, **on_disk)[:2]
    assert not made
    for one, other in zip(there, tangents(model, codes, Contrast(), ghost_distance=11), strict=True):
        assert torch.equal(one, other)
    for one, other in zip(pulled, gradient(model, codes, w)[:2], strict=True):
        assert torch.equal(one, other)
    assert made
    # Nameless files are gone with the features.
    assert list(tmp_path.iterdir()) == []


def test_layers_that_do_not_fit_are_computed_again_to_the_same_bytes(monkeypatch):
    model, codes = random_caduceus(n_layer=5), sequence(30)
    w = random_weights(torch.empty(30, 4))
    expected, x_bar, kept = gradient(model, codes, w)
    assert kept.layer_schedule.extra_tiles == 0
    monkeypatch.setattr("pgf_cli.core.sweeps.features.FeatureRoom.holds", lambda room, shape: 0)
    again, x_bar_again, few = gradient(model, codes, w)
    assert few.layer_schedule.snapshots == 1
    assert few.layer_schedule.extra_tiles > 0
    assert torch.equal(expected, again)
    assert torch.equal(x_bar, x_bar_again)


@pytest.mark.parametrize("kind", BOTH_MIXERS)
def test_a_masked_base_is_seen_by_nobody_and_has_no_gradient(kind):
    model, codes, masked = random_caduceus(**KINDS[kind]), sequence(20), Targets([(4, 7), (15, 16)])
    mask = torch.from_numpy(masked(0, 20))
    oracle = Oracle(model, model.config, swap=model.config.swapped)
    v = Contrast().tangents(0, one_hot(codes, torch.float64, torch.device("cpu")))
    y, y_dot, _ = tangents(model, codes, Contrast(), masked=masked)
    w = random_weights(y)
    y_there, x_bar_there, y_dot_there = autograd(lambda x: oracle.logprobs(x, mask), codes, w, v)
    x_bar = gradient(model, codes, w, masked=masked)[1]
    assert relative_error(y, y_there) < 1e-12
    assert relative_error(y_dot, y_dot_there) < 1e-11
    assert relative_error(x_bar, x_bar_there) < 1e-11
    assert not x_bar[mask].any()
    assert x_bar[~mask].all(-1).any() or x_bar[~mask].any()
    changed = codes.copy()
    changed[4:7] = (changed[4:7] + 1) % 4
    assert torch.equal(tangents(model, changed, Contrast(), masked=masked)[0], y)


@pytest.mark.parametrize("kind", ["PS", "PS, Mamba-2"])
def test_scores_of_a_sequence_and_of_its_reverse_complement_mirror_each_other(kind):
    """Strand symmetry of PS: y at t for base c is y at L - 1 - t for c's complement on the other strand."""
    model, codes = random_caduceus(**KINDS[kind]), sequence(45)
    y, *_ = tangents(model, codes, Contrast())
    other, *_ = tangents(model, (3 - codes)[::-1].copy(), Contrast())
    assert relative_error(y, other.flip(0, 1)) < 1e-13
    assert relative_error(y, other) > 1e-3


@pytest.mark.parametrize("kind", ["PH", "PS"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_certificate_passes_and_a_pass_left_out_fails_it(kind, dtype, monkeypatch):
    model = random_caduceus(dtype=dtype, **KINDS[kind])
    assert certify(model, sequence(90)).passed
    right = CaduceusLM.passes
    certificate = None

    def without(self, layer):
        return right(self, layer)[:-1]

    monkeypatch.setattr("pgf_cli.core.sweeps.layers.Layers._by_direction", _without_last)
    certificate = certify(model, sequence(90))
    assert not certificate.passed


def _without_last(self, layer):
    passes = self._model.passes(layer)[:-1]
    return [
        (backwards, tuple(one for one in passes if one.backwards == backwards))
        for backwards in sorted({one.backwards for one in passes})
    ]


def test_progress_is_told_as_one_reading_of_the_sequence():
    model, codes, told = random_caduceus(), sequence(50), []
    tangents(model, codes, Contrast(), advance=told.append)
    assert sum(told) == 50
    assert len(told) > 3
    told.clear()
    objective = SumOutputs(None, 4, torch.float64, torch.device("cpu"))
    list(adjoint_sweep(model, codes, objective, end=50, tile=16, advance=told.append))
    assert sum(told) == 50
