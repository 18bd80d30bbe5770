"""Pulse strings and BED files, against hand-written expectations."""

import hashlib

import pytest

from pgf_cli.genome import ContigNotFoundError, PulseSite, RegionError, parse_pulse, read_pulses

LENGTHS = {"chr1": 2000, "HLA:01:5": 40}


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("chr1:1", PulseSite("chr1", 0, None)),
        ("chr1:1,999:t", PulseSite("chr1", 1998, "T")),
        ("chr1:2000:U", PulseSite("chr1", 1999, "T")),
        ("HLA:01:5:7", PulseSite("HLA:01:5", 6, None)),
        (" HLA:01:5:7:A ", PulseSite("HLA:01:5", 6, "A")),
    ],
)
def test_positions_are_1_based_and_a_record_s_own_colons_are_its_name(text, site):
    assert parse_pulse(text, LENGTHS) == site


@pytest.mark.parametrize("text", ["chr1", "chr1:0", "chr1:2001", "chr1:5:N", "chr1:5-6", "chr1:5:AC", "chr1:x"])
def test_what_is_no_base_of_the_fasta_is_refused(text):
    with pytest.raises(RegionError, match="pulse"):
        parse_pulse(text, LENGTHS)


def test_an_unknown_record_is_diagnosed():
    with pytest.raises(ContigNotFoundError, match="chr1"):
        parse_pulse("1:5", LENGTHS)


def test_a_bed_row_is_a_pulse_at_each_of_its_bases(tmp_path):
    bed = tmp_path / "pulses.bed"
    bed.write_text("chr1\t9\t12\nHLA:01:5\t0\t1\n")
    assert [str(site) for site in read_pulses(bed, LENGTHS)] == ["chr1:10", "chr1:11", "chr1:12", "HLA:01:5:1"]
    bed.write_text("chr1\t1999\t2001\n")
    with pytest.raises(RegionError, match="past the"):
        read_pulses(bed, LENGTHS)


def test_a_plain_record_s_label_is_what_the_file_is_expected_to_be_called():
    assert PulseSite("chr1", 9, None).label == "chr1_10"
    assert PulseSite("NC_000001.11", 9, "A").label == "NC_000001.11_10_A"


def test_labels_of_different_sites_differ_and_are_file_names():
    hashed = "a_b-" + hashlib.sha256(b"a|b").hexdigest()[:8]
    names = ["a|b", "a_b", "a:b", "a/b", "../a_b", hashed, "\u67d3\u8272\u4f53", "x" * 1024, "x" * 1023 + "y", "x"]
    sites = [PulseSite(name, at, alt) for name in names for at in (1, 11) for alt in (None, "A", "T")]
    labels = [site.label for site in sites]
    assert len(set(labels)) == len(sites)
    for label in labels:
        assert "/" not in label
        assert len(label.encode()) < 120
    assert labels[0] == f"{hashed}_2"


@pytest.mark.parametrize("digits", [19, 5000])
def test_a_position_of_thousands_of_digits_is_refused_in_a_short_line(digits):
    with pytest.raises(RegionError, match=f"a number of {digits:,} digits is no position") as error:
        parse_pulse("chr1:" + "9" * digits, LENGTHS)
    assert len(str(error.value)) < 300


def test_a_bed_of_whole_chromosomes_is_no_list_of_pulses(tmp_path):
    bed = tmp_path / "pulses.bed"
    bed.write_text("chr1\t0\t200000000\n")
    with pytest.raises(RegionError, match="more than 1,000,000 bases, each of which would be a pulse"):
        read_pulses(bed, {"chr1": 248_956_422})
