"""The certificate passes for right derivatives, however ill-conditioned the model, and fails for planted errors.

Independent sources: float64, finite differences of the plain torch definition, and faults whose size is known.
"""

import pytest
import torch
from certificate_models import (
    four_term_scan,
    ill_conditioned,
    initial_mamba,
    random_codes,
    random_frechet,
    scan_with,
)

from pgf_cli.checkpoints import read_checkpoint
from pgf_cli.core.certificate import certify, relative_error
from pgf_cli.core.certificate.derivatives import derivative, richardson_difference
from pgf_cli.core.models import FrechetModel
from pgf_cli.core.models.mamba_block import selective_scan
from pgf_cli.core.models.protocol import map_state
from pgf_cli.core.sweeps.adjoint import AdjointSweep

IDENTITY, TILES, DIFFERENCES, PRECISION = range(4)


def failed(certificate):
    return {index for index, check in enumerate(certificate.checks) if not check.passed}


@pytest.mark.parametrize(("d_model", "n_layer"), [(16, 1), (64, 2), (128, 4), (256, 4)])
def test_usual_initial_weights_of_any_size_pass(d_model, n_layer):
    certificate = certify(initial_mamba(d_model, n_layer), random_codes(256))
    assert certificate.passed, certificate.checks
    assert certificate.precision == "float32 holds about 6 digits of this model's derivative"


@pytest.mark.parametrize("name", ["mamba_arabidopsis", "mamba_random"])
def test_the_sample_models_pass(name, request):
    checkpoint = read_checkpoint(request.config.rootpath / "sample_data" / f"{name}.safetensors", None)
    certificate = certify(checkpoint.build(None, torch.float32, torch.device("cpu")), random_codes(256))
    assert certificate.passed, certificate.checks


@pytest.mark.parametrize("a_log", [-8.0, 6.0])
def test_slow_and_stiff_states_pass(a_log):
    assert certify(initial_mamba(64, 2, a_log=a_log), random_codes(256)).passed
    assert certify(random_frechet(a_log).float(), random_codes(256)).passed


def test_an_ill_conditioned_model_passes_and_float32_is_said_to_hold_few_digits():
    certificate = certify(ill_conditioned(initial_mamba(256, 4)), random_codes(256))
    assert certificate.passed, certificate.checks
    # What float32 was held to before conditioning was looked at.
    assert certificate.checks[PRECISION].error > 1e-5
    assert certificate.precision == "float32 holds about 4 digits of this model's derivative"


def test_float64_is_not_judged_by_what_float32_makes_of_it(monkeypatch):
    scan_with(monkeypatch, four_term_scan)
    model = initial_mamba(16, 1)
    assert PRECISION in failed(certify(model, random_codes(256)))
    certificate = certify(model.double(), random_codes(256))
    assert certificate.passed
    assert not [check for check in certificate.checks if "float32" in check.name + check.detail]
    assert certificate.precision.startswith("float64 holds about 1")


def test_extrapolated_differences_agree_where_plain_ones_are_cut_off_too_soon():
    model, probe = ill_conditioned(initial_mamba(64, 8), 0.3).double(), random_codes(64)
    exact = derivative(model, probe, 64)
    assert relative_error(richardson_difference(model, probe), exact) < 1e-8


def test_a_term_dropped_from_the_tangent_fails(monkeypatch):
    right = selective_scan.jvp
    dropped = lambda primal, dot: right(primal, dot._replace(C=torch.zeros_like(dot.C)))  # noqa: E731
    monkeypatch.setattr(selective_scan, "jvp", dropped)
    assert {IDENTITY, DIFFERENCES} <= failed(certify(initial_mamba(64, 2), random_codes(256)))


def test_an_exponential_of_four_terms_fails(monkeypatch):
    scan_with(monkeypatch, four_term_scan)
    certificate = certify(initial_mamba(64, 2), random_codes(256))
    assert PRECISION in failed(certificate)
    assert certificate.checks[PRECISION].error > 10 * certificate.checks[PRECISION].threshold


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_right_derivative_passes_every_check(dtype, toy_mamba, dna):
    certificate = certify(toy_mamba.to(dtype), dna(256))
    assert certificate.passed, certificate.checks
    assert certificate.probe_bases == 256
    assert all(check.error > 0 for check in certificate.checks if "tiles of 37 against" not in check.name)


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
        return right(self, x, state, y_bar, map_state(torch.zeros_like, state_bar), **options)

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
    assert zero[TILES:] == one[TILES:]


def test_a_state_dropped_between_tiles_fails_the_tile_check(toy_mamba, dna, monkeypatch):
    right = type(toy_mamba).jvp

    def forgetful(self, x, x_dot, state, state_dot):
        return right(self, x, x_dot, *self.initial_jvp(x[:0], x_dot[:, :0]))

    monkeypatch.setattr(type(toy_mamba), "jvp", forgetful)
    assert TILES in failed(certify(toy_mamba, dna(256)))
