"""A record on either strand, against Biopython's reverse complement and hashlib."""

import hashlib

import numpy as np
import pytest
from Bio.Seq import Seq

from pgf_cli.genome import BaseCounts, Genome, LetterError, OrientedRecord, encode
from pgf_cli.genome.blocks import BLOCK_BASES

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
def test_slices_and_hashes_are_those_of_the_strand(oriented, expected, start, end):
    codes = encode(expected[start:end].encode())
    np.testing.assert_array_equal(oriented[start:end], codes)
    assert oriented.sha256(start, end) == hashlib.sha256(codes.tobytes()).hexdigest()
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
            oriented.sha256(0, 25)


def test_the_hash_is_of_bases_alone_and_of_all_of_them(write_fasta):
    codes = np.random.default_rng(3).integers(0, 4, 2 * BLOCK_BASES + 77, dtype=np.uint8)
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)[codes].tobytes()
    expected = hashlib.sha256(codes[5:-5].tobytes()).hexdigest()
    for number, text in enumerate((letters, letters.lower(), letters.replace(b"T", b"U"))):
        with Genome.open(write_fasta(b">a\n" + text + b"\n", f"{number}.fa")) as genome:
            assert OrientedRecord(genome.record("a")).sha256(5, len(codes) - 5) == expected
    changed = bytearray(letters)
    changed[-6] = ord("A") if letters[-6:-5] != b"A" else ord("C")
    with Genome.open(write_fasta(b">a\n" + bytes(changed) + b"\n", "changed.fa")) as genome:
        assert OrientedRecord(genome.record("a")).sha256(5, len(codes) - 5) != expected
