"""The other strand, against Biopython's reverse complement."""

import numpy as np
import pytest
from Bio.Seq import Seq

from pgf_cli.genome import ReverseComplement, complement, decode, encode, mirror

TEXT = "ACGTNNACGGTTTAACCAGN"


@pytest.mark.parametrize(("start", "end"), [(0, 20), (0, 1), (19, 20), (3, 11), (5, 5), (15, 99), (8, 3)])
def test_slices_are_those_of_the_reverse_complement(start, end):
    reverse = ReverseComplement(encode(TEXT.encode()))
    assert decode(reverse[start:end]) == str(Seq(TEXT).reverse_complement())[start:end]
    assert len(reverse) == 20


def test_mirrored_intervals_hold_the_same_bases():
    bases = encode(TEXT.encode())
    start, end = mirror(3, 9, len(bases))
    back = Seq(decode(ReverseComplement(bases)[start:end])).reverse_complement()
    np.testing.assert_array_equal(encode(str(back).encode()), bases[3:9])
    assert [complement(letter) for letter in "ACGT"] == [str(Seq(letter).complement()) for letter in "ACGT"]
