"""The exponent of a power law, fitted to measurements."""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np


class Slope(NamedTuple):
    """An exponent with the interval that covers the true one 95 times in 100."""

    exponent: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.exponent:.3f} (95% interval {self.low:.3f} to {self.high:.3f})"


def fit_slope(x: Sequence[float], y: Sequence[float]) -> Slope:
    """Fit y = c x^p by least squares on logarithms; the interval is Student's t with n - 2 degrees of freedom.

    Args:
        x, y: positive; as many of each.

    Returns:
        The exponent p; NaN throughout for fewer than three points or a single x.
    """
    log_x, log_y = np.log(x), np.log(y)
    if len(log_x) < 3 or np.ptp(log_x) == 0:
        return Slope(math.nan, math.nan, math.nan)
    centred = log_x - log_x.mean()
    spread = float(centred @ centred)
    exponent = float(centred @ log_y) / spread
    residuals = log_y - log_y.mean() - exponent * centred
    freedom = len(log_x) - 2
    half = t_quantile(freedom) * math.sqrt(float(residuals @ residuals) / freedom / spread)
    return Slope(exponent, exponent - half, exponent + half)


def t_quantile(freedom: int, probability: float = 0.975) -> float:
    """Return Student's t quantile, exact for 1 and 2 degrees of freedom, from 3 on within half a percent.

    Source: Abramowitz & Stegun 26.7.5; closed forms for 1 and 2.
    """
    if freedom == 1:
        return math.tan(math.pi * (probability - 0.5))
    if freedom == 2:
        return (2 * probability - 1) / math.sqrt(2 * probability * (1 - probability))
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / freedom ** (power + 1) for power, term in enumerate(terms))
