"""The dinucleotide shuffle: exact counts, and uniform over what a full enumeration allows."""

import itertools
from collections import Counter

import numpy as np
import pytest

from pgf_cli.genome import Shuffled, shuffle
from pgf_cli.genome.shuffle import dinucleotide_shuffle


def dinucleotides(bases):
    return Counter(zip(bases[:-1].tolist(), bases[1:].tolist(), strict=True))


def test_counts_ends_and_n_stay_and_the_rest_moves():
    bases = np.random.default_rng(1).choice(4, 5000, p=[0.4, 0.1, 0.1, 0.4]).astype(np.uint8)
    bases[1000:1040] = bases[3] = 4
    shuffled = Shuffled(bases, "chr1", seed=5)[0:5000]
    assert dinucleotides(shuffled) == dinucleotides(bases)
    assert (shuffled[bases == 4] == 4).all()
    assert 0.2 < (shuffled == bases).mean() < 0.6
    assert (shuffled[[0, 4999]] == bases[[0, 4999]]).all()


def test_a_low_complexity_run_with_one_way_out_is_no_trouble():
    bases = np.array([0] * 3000 + [1] + [2] * 3000, dtype=np.uint8)
    assert dinucleotides(dinucleotide_shuffle(bases, np.random.default_rng(0))) == dinucleotides(bases)


def test_every_sequence_with_the_same_dinucleotides_is_as_likely():
    bases = np.array([0, 1, 0, 0, 2, 0, 1, 1, 2], dtype=np.uint8)
    same = {
        candidate
        for middle in itertools.product(range(3), repeat=7)
        if dinucleotides(np.array(candidate := (0, *middle, 2))) == dinucleotides(bases)
    }
    generator, draws = np.random.default_rng(2), 400 * len(same)
    found = Counter(tuple(dinucleotide_shuffle(bases, generator).tolist()) for _ in range(draws))
    assert set(found) == same
    assert len(same) > 5
    chi_square = sum((count - 400) ** 2 / 400 for count in found.values())
    # Mean of chi-square is its degrees of freedom, variance twice that: four standard deviations.
    freedom = len(same) - 1
    assert chi_square < freedom + 4 * np.sqrt(2 * freedom)


def test_what_stands_at_a_position_does_not_depend_on_how_it_is_read(monkeypatch):
    monkeypatch.setattr(shuffle, "SEGMENT", 64)
    bases = np.random.default_rng(1).integers(0, 4, 300, dtype=np.uint8)
    whole = Shuffled(bases, "chr1", seed=5)[0:300]
    parts = Shuffled(bases, "chr1", seed=5)
    np.testing.assert_array_equal(np.concatenate([parts[at : at + 7] for at in range(0, 300, 7)]), whole)
    assert dinucleotides(whole) == dinucleotides(bases)
    assert not np.array_equal(Shuffled(bases, "chr2", seed=5)[0:300], whole)
    assert not np.array_equal(Shuffled(bases, "chr1", seed=6)[0:300], whole)


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_too_short_to_shuffle(length):
    bases = np.arange(length, dtype=np.uint8)
    np.testing.assert_array_equal(Shuffled(bases, "c", 0)[0:length], bases)
