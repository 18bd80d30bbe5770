"""Empirical false discovery rates against a count by hand."""

from pgf_cli.hits import false_discovery_rates


def test_rates_are_null_peaks_as_high_over_hits_as_high_made_monotone():
    assert false_discovery_rates([9.0, 7.0, 6.0, 2.0], [6.5, 6.0, 1.0, 0.5]) == [0.0, 0.0, 0.5, 0.5]


def test_a_high_null_peak_counts_against_every_hit_below_it():
    assert false_discovery_rates([9.0, 7.0, 6.0, 5.0], [8.0]) == [0.0, 0.25, 0.25, 0.25]


def test_rates_never_exceed_one():
    assert false_discovery_rates([1.0], [3.0, 2.0]) == [1.0]
    assert false_discovery_rates([], [3.0]) == []


def test_ties_with_the_null_count_against_a_hit():
    assert false_discovery_rates([5.0, 5.0, 4.0], [5.0, 5.0, 5.0]) == [1.0, 1.0, 1.0]
    assert false_discovery_rates([6.0, 5.0, 4.0, 3.0], [5.0, 4.0, 4.0]) == [0.0, 0.5, 0.75, 0.75]


def test_many_hits_and_null_peaks_take_no_square_of_comparisons():
    class Counted(float):
        comparisons = 0

        def __lt__(self, other):
            Counted.comparisons += 1
            return float.__lt__(self, other)

        def __ge__(self, other):
            Counted.comparisons += 1
            return float.__ge__(self, other)

    count = 5000
    null = [Counted(value) for value in range(count, 0, -1)]
    rates = false_discovery_rates([value + 0.5 for value in range(count, 0, -1)], null)
    assert rates == [rank / (rank + 1) for rank in range(count)]
    assert Counted.comparisons < 30 * count
