"""The certificate passes for a right derivative and fails for a planted error in it."""

import pytest
import torch

from pgf_cli.core.certificate import certify


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_right_derivative_passes_every_check(dtype, toy_mamba, dna):
    certificate = certify(toy_mamba.to(dtype), dna(256))
    assert certificate.passed, certificate.checks
    assert certificate.probe_bases == 256
    assert all(check.error > 0 for check in certificate.checks[:2])


def test_a_derivative_off_by_one_part_in_a_hundred_thousand_fails(toy_mamba, dna, monkeypatch):
    right = type(toy_mamba).jvp

    def off(self, *arguments):
        dual = right(self, *arguments)
        return dual._replace(y_dot=dual.y_dot * (1 + 1e-5))

    monkeypatch.setattr(type(toy_mamba), "jvp", off)
    checks = certify(toy_mamba, dna(256)).checks
    assert [check.passed for check in checks] == [False, True, True]


def test_a_state_dropped_between_tiles_fails_the_tile_check(toy_mamba, dna, monkeypatch):
    right = type(toy_mamba).jvp

    def forgetful(self, x, x_dot, state, state_dot):
        return right(self, x, x_dot, *self.initial_jvp(x[:0], x_dot[:, :0]))

    monkeypatch.setattr(type(toy_mamba), "jvp", forgetful)
    assert not certify(toy_mamba, dna(256)).checks[2].passed
