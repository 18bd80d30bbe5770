"""Expectations by hand, after samtools' rules for region strings."""

import pytest

from pgf_cli.errors import UsageError
from pgf_cli.genome import ContigNotFoundError, Region, RegionError, parse_region

LENGTHS = {"chr1": 248_956_422, "chr2": 1000, "2": 10, "HLA-A*01:01": 3503, "HLA-A*01:01:1-5": 40}


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("chr1:1,001-2,000", Region("chr1", 1000, 2000)),
        ("chr2:1-1000", Region("chr2", 0, 1000)),
        ("chr2:7-7", Region("chr2", 6, 7)),
        (" chr2 ", Region("chr2", 0, 1000)),
        ("chr2:500", Region("chr2", 499, 1000)),
        ("chr2:500-", Region("chr2", 499, 1000)),
        ("HLA-A*01:01", Region("HLA-A*01:01", 0, 3503)),
        ("HLA-A*01:01:11-20", Region("HLA-A*01:01", 10, 20)),
        ("HLA-A*01:01:1-5", Region("HLA-A*01:01:1-5", 0, 40)),
    ],
)
def test_a_region_string_is_1_based_inclusive(text, region):
    assert parse_region(text, LENGTHS) == region


def test_a_region_prints_as_igv_pastes_and_reads_back():
    region = Region("chr1", 1_000_000, 2_345_678)
    assert str(region) == "chr1:1,000,001-2,345,678"
    assert parse_region(str(region), LENGTHS) == region


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("chr2:900-1,001", r"'chr2:900-1,001' runs past the end of 'chr2', which has 1,000 bases"),
        ("chr2:1001", r"runs past the end of 'chr2', which has 1,000 bases"),
        ("chr2:30-20", r"is reversed; write chr2:20-30"),
        ("chr2:0-20", r"starts at 0, but positions are 1-based"),
        ("chr2:-5-20", r"cannot be read; write NAME:START-END"),
        ("chr2:a-b", r"cannot be read; write NAME:START-END"),
        ("chr2:", r"cannot be read; write NAME:START-END"),
        ("chr2:1.5-3", r"cannot be read; write NAME:START-END"),
        ("chr2:1-5-9", r"cannot be read; write NAME:START-END"),
    ],
)
def test_a_region_string_that_makes_no_sense(text, complaint):
    with pytest.raises(RegionError, match=complaint) as error:
        parse_region(text, LENGTHS)
    assert isinstance(error.value, UsageError)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("chr3:1-5", "no record 'chr3'; nearest names: chr2, chr1"),
        ("1:5-6", "no record '1'; it calls that chromosome 'chr1'"),
        ("HLA-A*01:02", "no record 'HLA-A\\*01'; nearest names: HLA-A\\*01:01"),
        ("HLA-B:x", "no record 'HLA-B:x'"),
        ("", "no record ''"),
    ],
)
def test_an_unknown_record(text, complaint):
    with pytest.raises(ContigNotFoundError, match=complaint):
        parse_region(text, LENGTHS)


@pytest.mark.parametrize("digits", [19, 5000])
@pytest.mark.parametrize("text", ["chr2:{}", "chr2:{}-5", "chr2:1-{}"])
def test_a_position_of_thousands_of_digits_is_refused_in_a_short_line(text, digits):
    with pytest.raises(RegionError, match=f"a number of {digits:,} digits is no position in a record") as error:
        parse_region(text.format("9" * digits), LENGTHS)
    assert len(str(error.value)) < 300


def test_an_endless_name_is_cut_short_and_a_wild_one_escaped():
    with pytest.raises(ContigNotFoundError) as error:
        parse_region("\x1b[2J" + "x" * 100_000, LENGTHS)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 300
