"""Hand-written BED files after the GA4GH specification."""

import difflib
import gzip
import tracemalloc

import pytest

from pgf_cli.genome import BedError, Region, RequestedRegion, bed, lines, read_bed

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
    [
        (BED3.encode("utf-16"), "is UTF-16 text; save it as plain text: iconv"),
        (BED3.encode("utf-16-le"), "is not a text file: line 1 has a NUL character; give a BED file"),
        (gzip.compress(BED3.encode() * 99, mtime=0)[:-12], "is damaged"),
        (gzip.compress(BED3.encode(), mtime=0) + b"rubbish", "is damaged"),
        (gzip.compress(bytes(300_000_000), 1), "is not a text file: line 1 has a NUL"),
        (gzip.compress(b"A" * 300_000_000, 1), r"is no such file: line 1 has more than 1,048,576 characters"),
    ],
    ids=["UTF-16", "UTF-16 without a mark", "cut gzip", "gzip and more", "bomb of zeros", "bomb of one line"],
)
def test_a_file_that_is_not_bed_text(write_bed, content, complaint):
    with pytest.raises(BedError, match=rf"regions\.bed {complaint}"):
        read_bed(write_bed(content), LENGTHS)


def test_a_missing_bed_file(tmp_path):
    with pytest.raises(BedError, match=r"no\.bed cannot be read \(No such file or directory\)"):
        read_bed(tmp_path / "no.bed", LENGTHS)


def test_a_bomb_is_refused_in_little_time_and_memory(write_bed):
    path = write_bed(gzip.compress(b"A" * 200_000_000, 1))
    tracemalloc.start()
    try:
        with pytest.raises(BedError):
            read_bed(path, LENGTHS)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 20_000_000


def test_more_lines_and_rows_than_can_be_kept_are_refused(write_bed, monkeypatch):
    path = write_bed("chr1\t0\t5\n" * 12)
    assert len(read_bed(path, LENGTHS)) == 12
    monkeypatch.setattr(bed, "MOST_ROWS", 11)
    with pytest.raises(BedError, match=r"regions\.bed has more than 11 rows; merge"):
        read_bed(path, LENGTHS)
    monkeypatch.setattr(lines, "MOST_LINES", 10)
    with pytest.raises(BedError, match=r"regions\.bed is larger than is read, 10 lines"):
        read_bed(path, LENGTHS)


@pytest.mark.parametrize("digits", [19, 5000])
@pytest.mark.parametrize("column", [1, 2])
def test_a_position_of_thousands_of_digits_is_refused_in_a_short_line(write_bed, digits, column):
    row = ["chr1", "0", "9"]
    row[column] = "9" * digits
    with pytest.raises(BedError, match=rf"line 1: a number of {digits:,} digits is no position") as error:
        read_bed(write_bed("\t".join(row)), LENGTHS)
    assert len(str(error.value)) < 400


def test_leading_zeros_do_not_count_as_digits(write_bed):
    (row,) = read_bed(write_bed("chr1\t" + "0" * 30 + "7\t9\n"), LENGTHS)
    assert row.region == Region("chr1", 7, 9)


def test_labels_are_shown_whatever_their_bytes(write_bed):
    rows = read_bed(
        write_bed(b"chr1\t0\t10\tR\xe9gion\nchr1\t0\t10\tR\xc3\xa9gion\nchr1\t0\t9\tx\x1b]52;\x07\n"), LENGTHS
    )
    assert [row.name for row in rows] == ["R\xe9gion", "R\xe9gion", r"x\x1b]52;\x07"]
    assert all(row.kept for row in rows)


@pytest.mark.parametrize("name", [b"chr\xe9", b"chr1\x1b[2J", b"chr1\x7f"])
def test_a_record_s_name_that_is_no_text_is_refused_escaped(write_bed, name):
    with pytest.raises(BedError, match=r"line 3: the record's name 'chr.* has bytes that are not UTF-8") as error:
        read_bed(write_bed(BED3.encode() + name + b"\t0\t10\n"), LENGTHS)
    assert str(error.value).isprintable()


def test_header_lines_are_told_from_rows_of_a_record_with_such_a_name(write_bed):
    content = "#first\t0\t5\ntrack\t0\t7\nbrowser\t1\t2\n# a note\ntrack name=x\n#other\t0\t5\n"
    lengths = {"#first": 10, "track": 10, "browser": 10}
    regions = [row.region for row in read_bed(write_bed(content), lengths)]
    assert regions == [Region("#first", 0, 5), Region("track", 0, 7), Region("browser", 1, 2)]
    assert read_bed(write_bed(content), LENGTHS) == []


def test_thousands_of_unknown_names_get_hints_only_while_that_is_cheap(write_bed, monkeypatch):
    searched = []
    search = difflib.get_close_matches
    monkeypatch.setattr(difflib, "get_close_matches", lambda *a, **k: searched.append(len(a[1])) or search(*a, **k))
    lengths = {f"NW_{number:06d}.1": 100 for number in range(20_000)} | {"chr7": 100}
    names = [f"GPS_{number:06d}.1" for number in range(2000)]
    rows = read_bed(write_bed("".join(f"{name}\t0\t5\n" for name in [*names, "7"])), lengths)
    assert len(searched) == 3
    assert max(searched) <= 200
    assert rows[0].reason.startswith("the FASTA has no record 'GPS_000000.1'; nearest names: ")
    assert rows[1999].reason == "the FASTA has no record 'GPS_001999.1'"
    assert rows[2000].reason.endswith("it calls that chromosome 'chr7', and names must match exactly")
