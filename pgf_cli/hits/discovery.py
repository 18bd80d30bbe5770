"""Empirical false discovery rates of hits, from the peaks of a shuffled sequence."""

from bisect import bisect_left
from collections.abc import Sequence


def false_discovery_rates(hits: Sequence[float], null: Sequence[float]) -> list[float]:
    """Return the false discovery rate of each hit: expected share of false ones among hits as high or higher.

    Of the i highest hits, as many are expected to be false as the null has peaks at least as high as the i-th; the rate
    of a hit is the smallest of these ratios over the sets that contain it, at most 1.

    Args:
        hits: values of the record's peaks, highest first.
        null: values of the null's peaks, highest first; at least as many were kept as hits.

    Source: target-decoy estimate with monotone q-values, Storey & Tibshirani 2003.
    """
    ascending = sorted(null)
    rates: list[float] = []
    smallest = 1.0
    for rank in range(len(hits), 0, -1):
        as_high = len(null) - bisect_left(ascending, hits[rank - 1])
        smallest = min(smallest, as_high / rank)
        rates.append(smallest)
    return rates[::-1]
