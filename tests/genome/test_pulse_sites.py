"""Pulse strings and BED files, against hand-written expectations."""

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


def test_names_and_labels():
    site = PulseSite("HLA:01/x", 9, "A")
    assert (str(site), site.label) == ("HLA:01/x:10:A", "HLA_01_x_10_A")
