"""Expectations written by hand from the policy: upper-case soft-mask, U is T, ambiguity is N, the rest is refused."""

import numpy as np
import pytest

from pgf_cli.genome import LETTERS, N_CODE, BaseCounts, LetterError, count, decode, encode

PROTEIN = b"MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQFEVV"


def test_letters_get_the_codes_that_models_are_fed():
    codes = encode(b"ACGTNacgtnUu")
    assert codes.dtype == np.uint8
    assert codes.tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 3, 3]
    assert LETTERS[N_CODE] == "N"


def test_every_ambiguity_letter_reads_as_n_and_nothing_else_does():
    accepted = {letter for letter in range(256) if _accepts(bytes([letter]))}
    assert accepted == set(b"ACGTUNRYSWKMBDHVacgtunryswkmbdhv")
    assert set(encode(b"RYSWKMBDHVryswkmbdhv").tolist()) == {N_CODE}


def test_decode_gives_upper_case_letters_back():
    assert decode(encode(b"acgRuN")) == "ACGNTN"


def test_codes_can_be_written_to_as_torch_requires():
    assert encode(b"ACGT").flags.writeable


def test_counts_tell_scored_n_soft_masked_and_iupac_apart():
    assert count(b"ACGTUacgtuNNnRYsk") == BaseCounts(scored=10, n=3, soft_masked=8, iupac=4)


def test_counts_add_up_field_by_field():
    total = sum((count(b"ACn"), count(b"rGG")), BaseCounts())
    assert total == BaseCounts(scored=4, n=1, soft_masked=2, iupac=1)


def test_empty_sequence_is_no_error():
    assert encode(b"").shape == (0,)
    assert count(b"") == BaseCounts()


def test_a_refused_letter_is_named_with_its_1_based_position():
    with pytest.raises(
        LetterError, match=r"^x\.fa, record 'c', position 1,004: letter '!' is not a nucleotide; "
    ) as error:
        encode(b"ACG!", where="x.fa, record 'c'", start=1000)
    assert isinstance(error.value, ValueError)


def test_count_refuses_what_encode_refuses():
    with pytest.raises(LetterError, match="position 3: letter '1'"):
        count(b"AC1")


@pytest.mark.parametrize("raw", [PROTEIN, PROTEIN.lower()])
def test_a_protein_is_named_as_such(raw):
    with pytest.raises(
        LetterError, match=r"position 6: letter '[Ii]' is an amino acid: this looks like a protein FASTA"
    ):
        encode(raw)


@pytest.mark.parametrize("letter", [b"E", b"X"])
def test_dna_with_a_stray_letter_is_not_called_a_protein(letter):
    with pytest.raises(LetterError, match=r"position 61: letter '[EX]' is not a nucleotide"):
        encode(b"ACGTTGCANN" * 6 + letter + b"ACGT")


def test_alignment_gaps_get_their_own_remedy():
    with pytest.raises(LetterError, match="alignment gap; remove gaps"):
        encode(b"AC--GT")


def _accepts(raw):
    try:
        encode(raw)
    except LetterError:
        return False
    return True
