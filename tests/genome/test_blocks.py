"""Bases read in blocks against slices of the whole."""

import numpy as np
import pytest

from pgf_cli.genome import Genome, InBlocks, LetterError, decode
from pgf_cli.genome.blocks import BLOCK_BASES

LENGTH = 2 * BLOCK_BASES + 1000
BASES = np.random.default_rng(4).integers(0, 5, LENGTH, dtype=np.uint8)


class Counted:
    """An array that counts how often it is read."""

    def __init__(self, bases):
        self.bases, self.reads = bases, 0

    def __len__(self):
        return len(self.bases)

    def __getitem__(self, positions):
        self.reads += 1
        return self.bases[positions]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, 1),
        (BLOCK_BASES - 1, BLOCK_BASES + 1),
        (BLOCK_BASES, 2 * BLOCK_BASES),
        (5, LENGTH - 5),
        (LENGTH - 3, LENGTH + 99),
        (LENGTH, LENGTH + 1),
        (7, 7),
        (BLOCK_BASES + 4, 100),
    ],
)
def test_slices_are_those_of_the_bases(start, end):
    np.testing.assert_array_equal(InBlocks(BASES)[start:end], BASES[start:end])
    assert len(InBlocks(BASES)) == LENGTH


@pytest.mark.parametrize("step", [512, -512])
def test_a_sweep_reads_every_block_once_in_either_direction(step):
    counted = Counted(BASES)
    bases = InBlocks(counted)
    for at in range(0, LENGTH, 512)[:: step // 512]:
        np.testing.assert_array_equal(bases[at : at + 512], BASES[at : at + 512])
        bases[at + 512 : at + 513]
    assert counted.reads <= 3 + 1  # and one empty slice past the end


def test_a_wrong_letter_elsewhere_in_the_block_is_nobodys_error(write_fasta):
    with Genome.open(write_fasta(f">chr1\n{'ACGT' * 5}*ACGT\n")) as genome:
        bases = InBlocks(genome.record("chr1"))
        assert decode(bases[2:20]) == ("ACGT" * 5)[2:]
        assert decode(bases[21:]) == "ACGT"
        with pytest.raises(LetterError, match="position 21"):
            bases[19:22]
