"""Sparkline bins against a hand-written expectation and a loop."""

import numpy as np
import pytest

from pgf_cli.hits import TrackBins


def test_maxima_of_equal_parts_skip_what_is_not_scored():
    bins = TrackBins(100, 110, 5)
    bins.add(100, np.array([1, 2, 9, 3, 5, 4]), np.array([True, True, False, True, True, True]))
    bins.add(108, np.array([-2.0, -3.0]), np.array([True, True]))
    assert bins.maxima == [2.0, 3.0, 5.0, None, -2.0]


@pytest.mark.parametrize("length", [7, 60, 61, 1000])
def test_bins_do_not_depend_on_where_tiles_end(length):
    values = np.random.default_rng(length).random(length)
    bins = TrackBins(0, length, 60)
    for start in range(0, length, 13):
        tile = values[start : start + 13]
        bins.add(start, tile, np.ones(len(tile), dtype=bool))
    count = min(60, length)
    expected = [max(v for i, v in enumerate(values) if i * count // length == place) for place in range(count)]
    assert bins.maxima == expected


def test_bases_outside_and_empty_intervals_are_refused():
    with pytest.raises(IndexError, match="outside"):
        TrackBins(10, 20, 4).add(15, np.ones(6), np.ones(6, dtype=bool))
    with pytest.raises(ValueError, match="interval"):
        TrackBins(10, 10, 4)
