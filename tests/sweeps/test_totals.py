"""<w, J v> by responses and <J^T w, v> by gradients are one number: that of autograd."""

import pytest
import torch

from pgf_cli.core.directions import Contrast, RandomNormal
from pgf_cli.core.objectives import LogLikelihood, Targets
from pgf_cli.sweeps import SignedTotal, gradients, responses

START, TILE = 11, 32
TARGETS = Targets([(15, 50), (53, 100)])


@pytest.fixture(params=["contrast", "three random directions"])
def direction(request):
    return Contrast() if request.param == "contrast" else RandomNormal(3, 5, "chrT")


@pytest.fixture
def objective():
    return LogLikelihood(TARGETS, torch.float64, torch.device("cpu"))


def test_both_totals_are_autograd_s(toy_mamba, codes, record, autograd, direction, objective):
    end = len(codes)
    total = SignedTotal(record, objective, direction, end)
    options = {"start": START, "end": end, "tile": TILE}
    tangent = sum(map(total.of_tangent, responses(toy_mamba, record, direction, **options)))
    adjoint = [total.of_adjoint(piece) for piece in gradients(toy_mamba, record, objective, **options)]
    whole = autograd(toy_mamba, codes[START:])
    v = direction.tangents(START, whole.x).sum(0)
    w = objective.weights(START, codes[START:], None)
    (y_dot,) = whole.along(v)
    expected = float((w * y_dot).sum())
    assert abs(expected) > 1e-3
    assert tangent == pytest.approx(expected, rel=1e-10)
    assert sum(signed for signed, _ in adjoint) == pytest.approx(expected, rel=1e-10)
    magnitude = float((whole.back(w) * v).sum(1).abs().sum())
    assert sum(size for _, size in adjoint) == pytest.approx(magnitude, rel=1e-10)
    assert magnitude > abs(expected)
