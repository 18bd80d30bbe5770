"""Hand-written BED files after the GA4GH specification."""

import gzip

import pytest

from pgf_cli.genome import BedError, Region, RequestedRegion, read_bed

LENGTHS = {"chr1": 1000, "chr2": 50}

BED3 = "chr1\t0\t10\nchr2\t49\t50\n"
BED6 = "chr1\t0\t10\tpeak one\t900\t+\nchr2\t49\t50\t.\t0\t-\n"
BED10 = "chr1\t0\t10\tp1\t900\t.\t5.1\t3.2\t-1\t4\nchr2\t49\t50\tp2\t0\t.\t1\t2\t3\t0\n"
FIRST, SECOND = Region("chr1", 0, 10), Region("chr2", 49, 50)


@pytest.fixture
def write_bed(tmp_path):
    def write(content, name="regions.bed"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (BED3, (".", ".")),
        (BED6, ("peak one", ".")),
        (BED10, ("p1", "p2")),
        (BED6.replace("\n", "\r\n"), ("peak one", ".")),
        (BED3.replace("\t", "  "), (".", ".")),
        ("\ufeff# note\nbrowser position chr1:1-2\ntrack name=x\n\n" + BED3, (".", ".")),
    ],
)
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_bed_is_0_based_half_open_in_all_its_widths(write_bed, content, names, compress):
    rows = read_bed(write_bed(compress(content.encode())), LENGTHS)
    assert rows == [RequestedRegion(FIRST, names[0], True, ""), RequestedRegion(SECOND, names[1], True, "")]


def test_rows_that_cannot_be_served_come_back_in_place_with_the_reason(write_bed):
    rows = read_bed(write_bed("1\t0\t5\nchr1\t0\t5\nchr2\t10\t60\tlong\nchr2\t7\t7\nchrUn\t0\t5\n"), LENGTHS)
    assert [row.kept for row in rows] == [False, True, False, False, False]
    assert [row.reason for row in rows] == [
        "the FASTA has no record '1'; it calls that chromosome 'chr1', and names must match exactly",
        "",
        "ends at 60, past the 50 bases of 'chr2'",
        "has no bases",
        "the FASTA has no record 'chrUn'; nearest names: chr2, chr1",
    ]
    assert rows[2] == (Region("chr2", 10, 60), "long", False, rows[2].reason)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("chr1\t5", "2 of at least 3 columns"),
        ("chrom\tstart\tend", "'start' is not a position"),
        ("chr1\t-5\t10", "'-5' is not a position"),
        ("chr1\t1,000\t2,000", "'1,000' is not a position"),
        ("chr1\t1.0\t2", "'1.0' is not a position"),
        ("chr1\t20\t10", "start 20 lies after end 10"),
    ],
)
def test_a_malformed_row_is_named_by_file_and_line(write_bed, row, complaint):
    with pytest.raises(BedError, match=rf"regions\.bed, line 4: {complaint}"):
        read_bed(write_bed(f"# note\n{BED3}{row}\n"), LENGTHS)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"\xff\xfe\x00chr1", "is not a text file"), (gzip.compress(BED3.encode() * 99, mtime=0)[:-12], "is damaged")],
)
def test_a_file_that_is_not_bed_text(write_bed, content, complaint):
    with pytest.raises(BedError, match=rf"regions\.bed {complaint}"):
        read_bed(write_bed(content), LENGTHS)


def test_a_missing_bed_file(tmp_path):
    with pytest.raises(BedError, match=r"no\.bed cannot be read \(No such file or directory\)"):
        read_bed(tmp_path / "no.bed", LENGTHS)
