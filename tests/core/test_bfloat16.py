"""Matrix products in bfloat16 against float64 products of the same rounded factors; sweeps against float64 sweeps."""

import pytest
import torch

from pgf_cli.checkpoints import read_checkpoint
from pgf_cli.core.certificate import certify, relative_error
from pgf_cli.core.directions import Contrast
from pgf_cli.core.ops.linear import PANEL_ROWS, Linear, linear, linear_jvp
from pgf_cli.core.sweeps import tangent_sweep

HALF_ULP = 2.0**-8


@pytest.fixture
def trained(request):
    checkpoint = read_checkpoint(request.config.rootpath / "sample_data" / "mamba_arabidopsis.safetensors", None)
    return lambda dtype: checkpoint.build(None, dtype, torch.device("cpu"))


def y_dot(model, codes):
    tiles = tangent_sweep(model, codes, Contrast(), end=len(codes), tile=37)
    return torch.cat([tile.y_dot[0] for tile in tiles])


@pytest.mark.parametrize("rows", [1, PANEL_ROWS + 3])
def test_a_product_rounds_its_factors_and_its_result_and_nothing_between(rows):
    x, weight, bias = torch.randn(rows, 300), torch.randn(70, 300).bfloat16(), torch.randn(70)
    exact = x.bfloat16().double() @ weight.double().T
    for product in (linear(x, weight), linear_jvp(torch.stack([x, x]), weight, bias)[1]):
        assert product.dtype == torch.float32
        # Beside the result's own rounding, that of sums of 300 terms.
        assert ((product - exact).abs() <= HALF_ULP * exact.abs() + 1e-4).all()


def test_a_bias_is_not_rounded():
    module = Linear(4, 3)
    module.weight = torch.nn.Parameter(torch.zeros(3, 4, dtype=torch.bfloat16))
    torch.testing.assert_close(module(torch.ones(2, 4)), module.bias.expand(2, 3), rtol=0, atol=0)


def test_a_model_keeps_states_and_outputs_in_float32_and_comes_close_to_float64(trained, dna):
    model, codes = trained(torch.bfloat16), dna(400)
    assert (model.dtype, model.product_dtype) == (torch.float32, torch.bfloat16)
    exact, halved = y_dot(trained(torch.float64), codes), y_dot(model, codes)
    assert halved.dtype == torch.float32
    # Farther from it than float32 can be: the products are rounded indeed.
    assert 1e-4 < relative_error(halved, exact) < 3e-2


def test_the_certificate_says_how_far_bfloat16_is_from_float64(trained, dna):
    certificate = certify(trained(torch.bfloat16), dna(200))
    assert certificate.passed
    own = next(check for check in certificate.checks if check.name.startswith("bfloat16"))
    assert 1e-4 < own.error < own.threshold
