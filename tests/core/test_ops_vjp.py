"""Adjoints of the operators around the scans against torch autograd of their textbook forms, in float64."""

import pytest
import torch
from torch.nn import functional

from pgf_cli.core.ops import causal_conv, gated_norm, rms_norm
from pgf_cli.core.ops.activations import silu_vjp, softplus_vjp
from pgf_cli.core.ops.linear import PANEL_ROWS, weight_vjp


@pytest.fixture
def normal():
    generator = torch.Generator().manual_seed(5)
    return lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()


def test_rms_norm(normal):
    x, weight, y_bar = normal(7, 5), normal(5), normal(7, 5).detach()
    y = weight * x / torch.sqrt((x * x).mean(1, keepdim=True) + 1e-3)
    expected = torch.autograd.grad(y, (x, weight), y_bar)
    torch.testing.assert_close(rms_norm.vjp(x.detach(), weight.detach(), 1e-3, y_bar), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("length", [1, 2, 3, 9])
@pytest.mark.parametrize(("taps", "biased"), [(4, True), (2, False), (1, True)])
def test_causal_convolution_also_of_tiles_shorter_than_its_taps(length, taps, biased, normal):
    x, weight, bias, last = normal(length, 6), normal(6, taps), normal(6), normal(taps - 1, 6)
    padded = torch.cat([last, x])
    out = functional.conv1d(padded.T[None], weight[:, None], bias if biased else None, groups=6)[0].T
    y_bar, last_bar = normal(length, 6).detach(), normal(taps - 1, 6).detach()
    results = (out * torch.sigmoid(out), padded[length:])
    expected = torch.autograd.grad(results, (x, weight, bias, last), (y_bar, last_bar), materialize_grads=True)
    with torch.no_grad():
        bars = causal_conv.vjp(x, weight, bias if biased else None, last, y_bar, last_bar)
    for name in ("x", "weight", "last", *(["bias"] if biased else [])):
        right = expected[causal_conv.ConvAdjoint._fields.index(name)]
        torch.testing.assert_close(getattr(bars, name), right, rtol=1e-12, atol=1e-13)


def test_activations_softplus_being_linear_past_its_threshold():
    x = torch.linspace(-30, 30, 61, dtype=torch.float64, requires_grad=True)
    y_bar = torch.linspace(1, 2, 61, dtype=torch.float64)
    silu, softplus = x / (1 + torch.exp(-x)), torch.where(x > 20, x, torch.log1p(torch.exp(x)))
    for y, vjp in ((silu, silu_vjp), (softplus, softplus_vjp)):
        expected = torch.autograd.grad(y, x, y_bar)[0]
        torch.testing.assert_close(vjp(x.detach(), y_bar), expected, rtol=1e-12, atol=1e-14)


def test_weight_of_a_matrix_product_whose_outputs_fill_several_panels(normal):
    rows, weight, y_bar = normal(9, 3), normal(2 * PANEL_ROWS + 1, 3), normal(9, 2 * PANEL_ROWS + 1).detach()
    expected = torch.autograd.grad(rows @ weight.T, weight, y_bar)[0]
    torch.testing.assert_close(weight_vjp(rows.detach(), y_bar), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_gated_norm(groups, normal):
    y, z, weight, bar = normal(19, 66), normal(19, 66), normal(66), normal(19, 66).detach()
    gated = (y * z / (1 + torch.exp(-z))).view(19, groups, -1)
    out = (gated / torch.sqrt((gated**2).mean(2, keepdim=True) + 1e-3)).flatten(1) * weight
    expected = torch.autograd.grad(out, (y, z, weight), bar)
    with torch.no_grad():
        torch.testing.assert_close(gated_norm.forward(y, z, weight, 1e-3, groups), out, rtol=1e-12, atol=1e-13)
        for verbs in (gated_norm, gated_norm.reference):
            bars = verbs.vjp(y, z, weight, 1e-3, groups, bar)
            torch.testing.assert_close(tuple(bars), expected, rtol=1e-12, atol=1e-13)
