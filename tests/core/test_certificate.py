"""The certificate passes for a right derivative and fails for a planted error in it."""

import numpy as np
import pytest
import torch

from pgf_cli.core.certificate import certify, take_probe
from pgf_cli.core.models import FrechetConfig, FrechetModel
from pgf_cli.core.sweeps.adjoint import AdjointSweep

IDENTITY, DIFFERENCES, PRECISION, TILES = range(4)


def failed(certificate):
    return {index for index, check in enumerate(certificate.checks) if not check.passed}


def random_frechet():
    generator = torch.Generator().manual_seed(3)
    model = FrechetModel(FrechetConfig(d_model=5, d_state=3, embedded=True)).to(torch.float64).requires_grad_(False)
    for parameter in model.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator).double() * 0.5)
    return model


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_right_derivative_passes_every_check(dtype, toy_mamba, dna):
    certificate = certify(toy_mamba.to(dtype), dna(256))
    assert certificate.passed, certificate.checks
    assert certificate.probe_bases == 256
    assert all(check.error > 0 for check in certificate.checks[:TILES])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("length", [1, 2, 3, 38, 80])
def test_no_probe_is_too_short_also_where_the_initial_state_looks_ahead(length, dtype, toy_mamba, dna):
    for model in (toy_mamba, random_frechet()):
        certificate = certify(model.to(dtype), dna(length))
        assert certificate.passed, certificate.checks


@pytest.mark.parametrize("output", ["logprobs", "logits", "hidden"])
def test_every_output_layer_passes(output, make_mamba, dna):
    certificate = certify(make_mamba(output), dna(50))
    assert certificate.passed, certificate.checks


def test_a_tangent_off_by_one_part_in_a_hundred_thousand_fails(toy_mamba, dna, monkeypatch):
    right = type(toy_mamba).jvp

    def off(self, *arguments):
        dual = right(self, *arguments)
        return dual._replace(y_dot=dual.y_dot * (1 + 1e-5))

    monkeypatch.setattr(type(toy_mamba), "jvp", off)
    # Wrong alike in both precisions and in all tiles.
    assert failed(certify(toy_mamba, dna(256))) == {IDENTITY, DIFFERENCES}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_adjoint_off_by_one_part_in_ten_thousand_fails_the_identity_alone(dtype, toy_mamba, dna, monkeypatch):
    right = type(toy_mamba).vjp

    def off(self, *arguments, **options):
        pulled = right(self, *arguments, **options)
        return pulled._replace(x_bar=pulled.x_bar * (1 + 1e-4))

    monkeypatch.setattr(type(toy_mamba), "vjp", off)
    assert failed(certify(toy_mamba.to(dtype), dna(100))) == {IDENTITY}


def test_an_initial_state_left_out_of_the_adjoint_fails_the_identity_alone(dna, monkeypatch):
    right = FrechetModel.initial_vjp

    def without(self, *arguments, **options):
        pulled = right(self, *arguments, **options)
        return pulled._replace(x_bar=torch.zeros_like(pulled.x_bar))

    monkeypatch.setattr(FrechetModel, "initial_vjp", without)
    assert failed(certify(random_frechet(), dna(100))) == {IDENTITY}


def test_a_state_adjoint_dropped_between_tiles_fails_the_identity_alone(toy_mamba, dna, monkeypatch):
    right = type(toy_mamba).vjp

    def forgetful(self, x, state, y_bar, state_bar, **options):
        zeros = tuple(type(layer)(*map(torch.zeros_like, layer)) for layer in state_bar)
        return right(self, x, state, y_bar, zeros, **options)

    monkeypatch.setattr(type(toy_mamba), "vjp", forgetful)
    assert failed(certify(toy_mamba, dna(100))) == {IDENTITY}


def test_states_are_restored_from_snapshots_and_computed_anew(toy_mamba, dna, monkeypatch):
    budgets, made = [], AdjointSweep.__init__

    def note(self, *arguments):
        made(self, *arguments)
        budgets.append(self.schedule)

    monkeypatch.setattr(AdjointSweep, "__init__", note)
    certify(toy_mamba, dna(256))
    tiles, snapshots = budgets[-1].tiles, budgets[-1].snapshots
    assert 1 < snapshots < tiles - 1
    assert 0 < budgets[-1].extra_tiles < tiles


def test_the_seed_changes_the_weights_of_the_identity_alone(toy_mamba, dna):
    zero, again, one = (certify(toy_mamba, dna(60), seed=seed).checks for seed in (0, 0, 2))
    assert zero == again
    assert zero[IDENTITY].error != one[IDENTITY].error
    assert zero[DIFFERENCES:] == one[DIFFERENCES:]


def test_a_state_dropped_between_tiles_fails_the_tile_check(toy_mamba, dna, monkeypatch):
    right = type(toy_mamba).jvp

    def forgetful(self, x, x_dot, state, state_dot):
        return right(self, x, x_dot, *self.initial_jvp(x[:0], x_dot[:, :0]))

    monkeypatch.setattr(type(toy_mamba), "jvp", forgetful)
    assert TILES in failed(certify(toy_mamba, dna(256)))


def test_a_probe_is_the_first_bases_that_are_not_n_and_no_more_is_read():
    chunks = iter([np.array(codes, dtype=np.uint8) for codes in ([4, 4], [0, 4, 1], [2, 3, 4, 0], [1])])
    assert take_probe(chunks, 4).tolist() == [0, 1, 2, 3]
    assert [chunk.tolist() for chunk in chunks] == [[1]]
    assert take_probe(iter([np.array([4, 2], dtype=np.uint8)]), 4).tolist() == [2]
    assert take_probe(iter([])).shape == (0,)
