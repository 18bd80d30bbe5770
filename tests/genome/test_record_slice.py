"""Slices of slices, against slices of a string."""

import numpy as np
import pytest

from pgf_cli.genome import ContigNotFoundError, Genome, LetterError, RecordSlice, decode

LETTERS = "ACGTNGGCATTACGATNNAC"


@pytest.fixture
def genome(write_fasta):
    with Genome.open(str(write_fasta(f">chr1 first\n{LETTERS[:12]}\n{LETTERS[12:]}\n>empty\n>odd\nACJT\n"))) as genome:
        yield genome


def test_a_genome_gives_its_records_by_name(genome):
    assert (list(genome), len(genome)) == (["chr1", "empty", "odd"], 3)
    assert "chr1" in genome
    assert "chr2" not in genome
    whole = genome["chr1"]
    assert isinstance(whole, RecordSlice)
    assert (whole.name, whole.start, whole.end, len(whole)) == ("chr1", 0, 20, 20)
    assert decode(whole.codes) == LETTERS
    assert whole.codes.dtype == np.uint8
    assert genome["empty"].codes.size == 0
    with pytest.raises(ContigNotFoundError, match="no record 'chr2'; nearest names: chr1"):
        genome["chr2"]


BOUNDS = [None, 0, 3, 7, 20, 25, -4, -30]


@pytest.mark.parametrize("start", BOUNDS)
@pytest.mark.parametrize("end", BOUNDS)
def test_slices_of_slices_are_those_of_a_string_and_know_their_place(genome, start, end):
    outer = genome["chr1"][start:end]
    assert decode(outer.codes) == LETTERS[start:end]
    for inner in (slice(2, 9), slice(-3, None), slice(5, 1)):
        part = outer[inner]
        assert decode(part.codes) == LETTERS[start:end][inner]
        assert LETTERS[part.start : part.end] == decode(part.codes)
        assert (part.name, len(part)) == ("chr1", part.end - part.start)


def test_only_what_is_asked_for_is_read_and_only_once(genome, monkeypatch):
    read = []
    record = genome.record("odd")
    monkeypatch.setattr(type(record), "text", lambda self, start, end: read.append((start, end)) or b"AC")
    part = genome["odd"][0:2]
    assert read == []
    assert part.codes is part.codes
    assert read == [(0, 2)]


def test_wrong_letters_steps_and_single_positions_are_refused(genome):
    with pytest.raises(LetterError, match="record 'odd', position 3: letter 'J'"):
        genome["odd"][1:].codes  # noqa: B018
    with pytest.raises(ValueError, match="steps of 2"):
        genome["chr1"][::2]
    with pytest.raises(TypeError, match=r"as slices, as in \[5:5 \+ 1\]"):
        genome["chr1"][5]


def test_a_slice_shows_where_it_lies_as_a_browser_takes_it(genome):
    assert repr(genome["chr1"][2:12]) == "<10 bases, chr1:3-12>"
