"""Compiled exponential, SiLU and softplus with their slopes against mpmath to 50 digits."""

import mpmath
import numpy as np
import pytest
from numba import njit

from pgf_cli.core.ops._numba.compiled_activations import silu_slope, softplus_slope
from pgf_cli.core.ops._numba.exponential import exp_negative


@njit(error_model="numpy")
def compiled(values):
    out = np.empty((5, values.size), values.dtype)
    for i in range(values.size):
        out[0, i], out[1, i] = silu_slope(values[i])
        out[2, i], out[3, i] = softplus_slope(values[i])
        out[4, i] = exp_negative(-abs(values[i]))
    return out


def exact(x):
    logistic = 1 / (1 + mpmath.exp(-x))
    linear = x > 20  # torch's softplus is x there
    return (
        x * logistic,
        logistic * (1 + x * (1 - logistic)),
        x if linear else mpmath.log1p(mpmath.exp(x)),
        mpmath.mpf(1) if linear else logistic,
        mpmath.exp(-abs(x)),
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_is_good_to_a_few_roundings_relative_to_itself_on_both_sides_of_zero(dtype):
    near = np.concatenate([np.logspace(-20, np.log10(80), 400), np.linspace(0.2, 25, 400)])
    # SiLU's slope crosses zero at -1.2785, where it cancels: there it is good beside the logistic function.
    x = np.concatenate([near, -near, [0.0]]).astype(dtype)
    with mpmath.workdps(50):
        right = [[float(value) for value in exact(mpmath.mpf(float(v)))] for v in x]
    right = np.array(right).T
    size = np.abs(right)
    size[1] = np.maximum(size[1], 1 / (1 + np.exp(-x.astype(np.float64))))
    assert np.max(np.abs(compiled(x) - right) / np.maximum(size, 1e-300)) < 6 * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_out_nothing_overflows_and_what_is_no_number_stays_none(dtype):
    silu, silu_dot, softplus, softplus_dot, _ = compiled(np.array([-1e4, 1e4, np.nan], dtype))
    assert np.isnan([silu[2], softplus[2]]).all()
    np.testing.assert_allclose([silu[:2], silu_dot[:2]], [[0, 1e4], [0, 1]], atol=1e-30)
    np.testing.assert_allclose([softplus[:2], softplus_dot[:2]], [[0, 1e4], [0, 1]], atol=1e-30)
