"""Slow states: right ones pass where they are old, wrong ones that pass in the first 256 bases do not.

Independent sources: float64, and a scan in the update form that is known to lose slow states.
"""

import numpy as np
import pytest
import torch
from certificate_models import (
    initial_mamba,
    losing_scan,
    random_codes,
    random_frechet,
    scan_with,
    steady_slow_mamba,
)

from pgf_cli.checkpoints import read_checkpoint
from pgf_cli.core.certificate import certify, take_deep_probe, take_probe
from pgf_cli.core.models import MambaLM

DEPTH = 4096


def deep_probe(depth=DEPTH):
    codes = random_codes(depth + 256)
    return take_deep_probe(codes, 0, len(codes), depth)


def deep_check(certificate):
    (check,) = [check for check in certificate.checks if check.name.endswith("deep inside")]
    return check


@pytest.mark.parametrize(
    "make",
    [
        lambda: initial_mamba(16, 1),
        lambda: initial_mamba(64, 2, a_log=-8.0),
        steady_slow_mamba,
        lambda: random_frechet(-8.0).float(),
    ],
)
def test_right_states_pass_however_slow(make):
    certificate = certify(make(), random_codes(256), deep=deep_probe())
    assert certificate.passed, certificate.checks
    assert deep_check(certificate).error > 0
    assert certificate.deep.lead == DEPTH


def test_a_state_that_loses_a_little_at_every_base_fails_deep_inside_alone(monkeypatch):
    scan_with(monkeypatch, losing_scan)
    certificate = certify(steady_slow_mamba(), random_codes(256), deep=deep_probe())
    assert [check.name for check in certificate.checks if not check.passed] == ["float32 against float64, deep inside"]
    assert deep_check(certificate).error > 5 * deep_check(certificate).threshold
    assert (
        certificate.precision
        == "float32 holds about 6 digits of this model's derivative, and about 4 digits deep inside"
    )


def test_a_state_dropped_between_tiles_fails_deep_inside_too(monkeypatch):
    right = MambaLM.jvp

    def forgetful(self, x, x_dot, state, state_dot):
        if x.dtype == torch.float32:
            state, state_dot = self.initial_jvp(x[:0], x_dot[:, :0])
        return right(self, x, x_dot, state, state_dot)

    monkeypatch.setattr(MambaLM, "jvp", forgetful)
    certificate = certify(initial_mamba(16, 1), random_codes(256), deep=deep_probe(1000))
    assert not deep_check(certificate).passed


def test_float64_and_a_missing_probe_have_no_deep_check():
    for certificate in (
        certify(initial_mamba(16, 1).double(), random_codes(60), deep=deep_probe(300)),
        certify(initial_mamba(16, 1), random_codes(60)),
    ):
        assert certificate.deep is None
        assert not [check for check in certificate.checks if "deep" in check.name]


def test_bfloat16_is_held_to_its_own_threshold_deep_inside(request):
    checkpoint = read_checkpoint(request.config.rootpath / "sample_data" / "mamba_arabidopsis.safetensors", None)
    model = checkpoint.build(None, torch.bfloat16, torch.device("cpu"))
    check = deep_check(certify(model, random_codes(256), deep=deep_probe(1000)))
    assert check.name == "bfloat16 against float64, deep inside"
    assert 1e-4 < check.error < check.threshold == 2e-2


def test_a_deep_probe_is_near_the_middle_after_as_many_bases_as_were_asked_for():
    codes = random_codes(20_000)
    deep = take_deep_probe(codes, 1_000, 19_000, 3_000)
    assert (deep.lead, deep.bases) == (3_000, 256)
    # Between the first place that has so many bases before it and the last that has a probe behind it.
    assert abs(deep.start - (4_000 + 18_744) / 2) < 1_000
    assert deep.codes.tolist() == codes[deep.start - 3_000 : deep.start + 256].tolist()
    assert deep.described("chr1") == f"256 bases from chr1:{deep.start + 1:,} on, after 3,000 bases read"


@pytest.mark.parametrize(("length", "lead"), [(256, None), (257, 1), (700, 444), (40_000, 5_000)])
def test_a_short_sequence_is_probed_as_deep_as_it_goes(length, lead):
    deep = take_deep_probe(random_codes(length), 0, length, 5_000)
    assert (deep and deep.lead) == lead
    assert deep is None or 0 <= deep.start - deep.lead <= deep.start + 256 <= length


def test_no_depth_is_no_probe():
    assert take_deep_probe(random_codes(1000), 0, 1000, 0) is None


def test_a_deep_probe_keeps_out_of_gaps():
    codes = random_codes(100_000)
    codes[20_000:70_000] = 4
    deep = take_deep_probe(codes, 0, 100_000, 2_000)
    assert 2 * (deep.codes[:2_000] == 4).sum() <= 2_000
    assert not (deep.codes[2_000:] == 4).any()
    codes[:] = 4
    codes[90_000:] = 0
    assert take_deep_probe(codes, 0, 100_000, 2_000).codes[2_000:].max() == 0


def test_no_more_is_read_than_sixteen_places():
    class Counted:
        read = 0

        def __len__(self):
            return 10**9

        def __getitem__(self, positions):
            self.read += positions.stop - positions.start
            return np.full(positions.stop - positions.start, 4, dtype=np.uint8)

    counted = Counted()
    take_deep_probe(counted, 0, 10**9, 1_000)
    assert counted.read == 16 * 1_256


def test_a_probe_is_the_first_bases_that_are_not_n_and_no_more_is_read():
    chunks = iter([np.array(codes, dtype=np.uint8) for codes in ([4, 4], [0, 4, 1], [2, 3, 4, 0], [1])])
    assert take_probe(chunks, 4).tolist() == [0, 1, 2, 3]
    assert [chunk.tolist() for chunk in chunks] == [[1]]
    assert take_probe(iter([np.array([4, 2], dtype=np.uint8)]), 4).tolist() == [2]
    assert take_probe(iter([])).shape == (0,)
