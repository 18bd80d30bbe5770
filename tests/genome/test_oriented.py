"""A record on either strand, against Biopython's reverse complement."""

import numpy as np
import pytest
from Bio.Seq import Seq

from pgf_cli.genome import BaseCounts, Genome, LetterError, OrientedRecord, encode

TEXT = "ACGTNNACggtttAACCAGRu"


@pytest.fixture(params=[False, True], ids=["forward", "reverse"])
def reverse(request):
    return request.param


@pytest.fixture
def oriented(write_fasta, reverse):
    with Genome.open(write_fasta(f">chr1\n{TEXT[:11]}\n{TEXT[11:]}\n")) as genome:
        yield OrientedRecord(genome.record("chr1"), reverse=reverse)


@pytest.fixture
def expected(reverse):
    """What is read, from letters that encode() maps as the file's: R to N, U to T."""
    plain = TEXT.upper().replace("R", "N").replace("U", "T")
    return str(Seq(plain).reverse_complement()) if reverse else plain


@pytest.mark.parametrize(("start", "end"), [(0, 21), (0, 1), (20, 21), (3, 11), (5, 5), (15, 99), (8, 3)])
def test_slices_are_those_of_the_strand(oriented, expected, start, end):
    codes = encode(expected[start:end].encode())
    np.testing.assert_array_equal(oriented[start:end], codes)
    assert len(oriented) == 21
    assert oriented.name == "chr1"


def test_letters_and_coordinates_lead_to_the_same_base(oriented, expected, reverse):
    for position, letter in enumerate(expected):
        assert oriented.letter(position) == letter
        there = TEXT.upper().replace("R", "N").replace("U", "T")[oriented.forward(position)]
        assert oriented.oriented_letter(there) == letter
        assert oriented.oriented(oriented.forward(position)) == position
    assert oriented.forward(0) == (20 if reverse else 0)
    assert oriented.forward_span(2, 7) == ((14, 19) if reverse else (2, 7))
    assert oriented.oriented_span(*oriented.forward_span(2, 7)) == (2, 7)
    for outside in (-1, 21):
        with pytest.raises(IndexError, match="outside the 21 bases of 'chr1'"):
            oriented.letter(outside)


def test_counts_are_of_the_stretch_that_is_read(oriented, reverse):
    # The last five letters are A G R u; read backwards they are the first ones.
    assert oriented.counts(*((0, 4) if reverse else (17, 21))) == BaseCounts(scored=3, n=0, soft_masked=1, iupac=1)
    assert oriented.counts(0, 99) == BaseCounts(scored=18, n=2, soft_masked=6, iupac=1)
    assert oriented.counts(9, 3) == BaseCounts()


def test_a_wrong_letter_is_named_in_the_record_s_own_coordinates(write_fasta, reverse):
    with Genome.open(write_fasta(f">chr1\n{'ACGT' * 5}*ACGT\n")) as genome:
        oriented = OrientedRecord(genome.record("chr1"), reverse=reverse)
        assert oriented.letter(0) == "A"
        with pytest.raises(LetterError, match="record 'chr1', position 21"):
            oriented[0:25]
        with pytest.raises(LetterError, match="position 21"):
            oriented.counts(0, 25)
