"""The recurrences as rivals take them, against the models' own definitions in float64."""

import pytest
import torch

from pgf_cli.bench.baselines.plain_scans import associative, scanning_by, step_by_step
from pgf_cli.bench.subjects.random_models import random_bases, random_frechet, random_mamba
from pgf_cli.bench.subjects.sizes import Sizes
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.ops import frechet_scan, selective_scan


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 33])
def test_the_associative_scan_is_the_recurrence_at_ragged_lengths(length):
    generator = torch.Generator().manual_seed(length)
    a, b = torch.rand(2, length, 3, 2, dtype=torch.float64, generator=generator)
    h = torch.rand(3, 2, dtype=torch.float64, generator=generator)
    torch.testing.assert_close(associative(a, b, h), step_by_step(a, b, h), rtol=1e-13, atol=0)


@pytest.mark.parametrize("recurrence", [step_by_step, associative])
@pytest.mark.parametrize("make", [lambda: random_frechet(6, 3, 0), lambda: random_mamba(Sizes(2, 8, 3), 0)])
def test_a_model_computes_the_same_by_either_scan_and_its_own_comes_back(make, recurrence):
    model = make().double()
    x = one_hot(random_bases(37, 0), torch.float64, model.device)
    before = selective_scan.reference.forward, frechet_scan.reference.forward
    y, _ = model(x, model.initial_state(x[: model.lookahead]))
    with scanning_by(recurrence):
        assert (selective_scan.reference.forward, frechet_scan.reference.forward) != before
        found, _ = model(x, model.initial_state(x[: model.lookahead]))
    assert (selective_scan.reference.forward, frechet_scan.reference.forward) == before
    torch.testing.assert_close(found, y, rtol=1e-12, atol=1e-14)
