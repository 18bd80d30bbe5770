import math

import numpy as np
import pytest

from pgf_cli.bench.framework.slopes import fit_slope, t_quantile

X = [10.0, 100.0, 1000.0, 10_000.0, 10_000.0]


def test_an_exact_power_law_is_found_exactly():
    assert fit_slope(X, [3 * x**1.5 for x in X]) == pytest.approx((1.5, 1.5, 1.5))


def test_the_interval_is_that_of_a_least_squares_line_by_numpy():
    y = [x * factor for x, factor in zip(X, (1.1, 0.8, 1.3, 0.9, 1.2), strict=True)]
    (exponent, _), covariance = np.polyfit(np.log(X), np.log(y), 1, cov=True)
    half = 3.182446 * math.sqrt(covariance[0, 0])
    assert fit_slope(X, y) == pytest.approx((exponent, exponent - half, exponent + half), rel=2e-3)


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.7062), (2, 4.30265), (3, 3.18245), (5, 2.57058), (10, 2.22814), (100, 1.98397)]
)
def test_t_quantiles_are_those_of_the_tables(freedom, quantile):
    assert t_quantile(freedom) == pytest.approx(quantile, rel=2e-3)


@pytest.mark.parametrize("x", [[1.0, 2.0], [5.0, 5.0, 5.0]])
def test_too_few_points_give_no_slope(x):
    assert all(map(math.isnan, fit_slope(x, x)))
