"""Empirical false discovery rates against a count by hand."""

from pgf_cli.hits import false_discovery_rates


def test_rates_are_null_peaks_as_high_over_hits_as_high_made_monotone():
    assert false_discovery_rates([9.0, 7.0, 6.0, 2.0], [6.5, 6.0, 1.0, 0.5]) == [0.0, 0.0, 0.5, 0.5]


def test_a_high_null_peak_counts_against_every_hit_below_it():
    assert false_discovery_rates([9.0, 7.0, 6.0, 5.0], [8.0]) == [0.0, 0.25, 0.25, 0.25]


def test_rates_never_exceed_one():
    assert false_discovery_rates([1.0], [3.0, 2.0]) == [1.0]
    assert false_discovery_rates([], [3.0]) == []
