"""Torch's ways, segment by segment or tile by tile, against autograd of the models' own definitions in float64."""

import pytest
import torch

from pgf_cli.bench.baselines.plain_scans import associative, step_by_step
from pgf_cli.bench.baselines.torch_modes import Reading, derivative_of_sum, gradient_of_sum
from pgf_cli.bench.subjects.layered import frechet, mamba, mamba2
from pgf_cli.bench.subjects.random_models import random_bases
from pgf_cli.bench.subjects.sizes import Sizes
from pgf_cli.core.directions import Contrast
from pgf_cli.core.one_hot import one_hot

MODELS = {
    "frechet": lambda: frechet(6, 3, 0).model,
    "mamba": lambda: mamba(Sizes(2, 8, 3), 0).model,
    "mamba2": lambda: mamba2(Sizes(1, 8, 3), 0).model,
}


@pytest.fixture(params=list(MODELS))
def model(request):
    return MODELS[request.param]().double().requires_grad_(True)


@pytest.fixture
def x(model):
    return one_hot(random_bases(41, 0), torch.float64, model.device)


def autograd(model, x):
    x = x.clone().requires_grad_()
    y, _ = model(x, model.initial_state(x[: model.lookahead]))
    return torch.autograd.grad(y.sum(), [x, *model.parameters()], materialize_grads=True)


@pytest.mark.parametrize(
    "reading",
    [
        Reading(),
        Reading(segment=5),
        Reading(piece=3, segment=7),
        Reading(associative, None),
        Reading(associative, None, 2),
    ],
)
def test_gradients_do_not_depend_on_segments_pieces_or_scan(model, x, reading):
    found = gradient_of_sum(model, x, reading)
    x_bar, *bars = autograd(model, x)
    torch.testing.assert_close(found.x, x_bar, rtol=1e-10, atol=1e-13)
    torch.testing.assert_close(list(found.parameters), bars, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("tile", [None, 4, 41])
def test_forward_mode_is_the_gradient_along_v_whatever_the_tile(model, x, tile):
    v = Contrast().tangents(0, x)[0]
    exact = (autograd(model, x)[0] * v).sum()
    torch.testing.assert_close(derivative_of_sum(model, x, v, tile), exact.detach(), rtol=1e-10, atol=0)


def test_weights_at_rest_are_not_differentiated(model, x):
    still = model.requires_grad_(False)
    assert gradient_of_sum(still, x, Reading(step_by_step, segment=8)).parameters == ()
