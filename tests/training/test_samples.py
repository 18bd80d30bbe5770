import itertools

import numpy as np
import pytest

from pgf_cli.genome import ContigNotFoundError, Region, RegionError, decode, encode
from pgf_cli.training import DataSettings, TrainingDataError, samples, training_bases
from pgf_cli.training.samples import Sample, Samples


def stretches_of_mask(name, allowed):
    """The runs of True of at least two bases, found base by base."""
    found, start = [], None
    for at, ok in enumerate([*allowed, False]):
        if ok and start is None:
            start = at
        if not ok and start is not None:
            if at - start > 1:
                found.append(Region(name, start, at))
            start = None
    return found


@pytest.mark.parametrize("chunk", [1, 7, 64, 1 << 20])
def test_training_bases_are_what_a_mask_base_by_base_leaves(make_genome, monkeypatch, chunk):
    monkeypatch.setattr(samples, "CHUNK", chunk)
    letters = "NNN" + "ACGTR" * 30 + "N" * 12 + "ACGT" * 20 + "nnn" + "TTTT" + "N" * 4 + "A" + "N" * 4
    genome = make_genome({"one": letters, "two": "ACGT" * 5, "three": "GATTACA"})
    data = DataSettings(
        sample_length=10, chroms=("two", "one"), exclude=("one:11-20",), held_out=("one:16-40", "two:1-4"),
        longest_n_run=3,
    )  # fmt: skip
    allowed = np.ones(len(letters), bool)
    allowed[10:40] = False
    is_n = np.array([letter in "NnR" for letter in letters])
    at = 0
    while at < len(letters):
        run = at
        while run < len(letters) and is_n[run]:
            run += 1
        if run - at > 3:
            allowed[at:run] = False
        at = max(run, at + 1)
    found = training_bases(genome, data)
    assert list(found.stretches) == [*stretches_of_mask("one", allowed), Region("two", 4, 20)]
    assert found.bases == sum(end - start for _, start, end in found.stretches)


def test_the_checksum_tells_two_genomes_of_the_same_lengths_apart(make_genome):
    data = DataSettings(sample_length=4)
    first, same, other = (training_bases(make_genome({"one": dna}), data) for dna in ("ACGTAC", "acgtac", "ACGTAG"))
    assert first == same
    assert first.checksum != other.checksum


def test_what_is_not_there_is_an_error(make_genome):
    genome = make_genome({"one": "ACGTACGT", "two": "N" * 50})
    for wrong, error in (
        ({"chroms": ("three",)}, ContigNotFoundError),
        ({"held_out": ("one:5-9",)}, RegionError),
        ({"chroms": ("two",)}, TrainingDataError),
        ({"chroms": ("one",), "exclude": ("one",)}, TrainingDataError),
    ):
        with pytest.raises(error):
            training_bases(genome, DataSettings(sample_length=4, **wrong))


def test_an_epoch_visits_disjoint_pieces_of_every_stretch_and_each_epoch_others():
    stretches = (Region("one", 5, 138), Region("one", 150, 157), Region("two", 0, 40))
    listed = Samples(stretches, DataSettings(sample_length=20), seed=3)
    assert listed.per_epoch == 6 + 1 + 2
    epochs = [[listed[epoch * 9 + turn] for turn in range(9)] for epoch in range(20)]
    for epoch in epochs:
        pieces = sorted(sample.region for sample in epoch)
        assert all(one.contig != two.contig or one.end <= two.start for one, two in itertools.pairwise(pieces))
        for piece in pieces:
            assert any(s.contig == piece.contig and s.start <= piece.start < piece.end <= s.end for s in stretches)
            assert piece.end - piece.start == (7 if piece == stretches[1] else 20)
    assert len({tuple(sample.region for sample in epoch) for epoch in epochs}) == 20
    assert len({min(sample.region.start for sample in epoch if sample.region.contig == "one") for epoch in epochs}) > 5
    strands = [sample.reverse for epoch in epochs for sample in epoch]
    assert 50 < sum(strands) < 130


def test_a_sample_depends_on_its_number_and_the_seed_alone():
    stretches = (Region("one", 0, 1000),)
    data = DataSettings(sample_length=30, reverse_complements=False)
    in_order = [Samples(stretches, data, 1)[number] for number in range(100)]
    backwards = Samples(stretches, data, 1)
    assert [backwards[number] for number in reversed(range(100))] == in_order[::-1]
    assert [Samples(stretches, data, 2)[number] for number in range(100)] != in_order
    assert not any(sample.reverse for sample in in_order)


def test_a_reverse_sample_reads_the_reverse_complement(make_genome):
    genome = make_genome({"one": "AACCGTNTTG"})
    region = Region("one", 2, 8)
    assert decode(Sample(region, reverse=False).read(genome)) == "CCGTNT"
    reverse = Sample(region, reverse=True).read(genome)
    assert decode(reverse) == "ANACGG"
    np.testing.assert_array_equal(reverse, encode(b"ANACGG"))
