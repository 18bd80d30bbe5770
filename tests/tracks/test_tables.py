"""Hits, regions and chromosome sizes against hand-written files and back."""

import csv
import dataclasses

import bioframe
import numpy as np
import pandas as pd
import pytest

from pgf_cli.hits import Hit
from pgf_cli.tracks.chrom_sizes import write_chrom_sizes
from pgf_cli.tracks.disk import WriteError
from pgf_cli.tracks.hit_files import HitsBedWriter, HitsFileError, HitsTsvWriter, read_hits_tsv
from pgf_cli.tracks.regions_table import RegionRow, write_regions_table
from pgf_cli.tracks.tables import TableWriter, read_table
from pgf_cli.tracks.trace_table import TraceFileError, TraceRow, read_trace_table, trace_table


def hit(chrom, start, percentile=99.0, **fields):
    given = {"name": f"{chrom}_{start}", "track": "response", "value": 0.1, "context": "acgTACG"} | fields
    return Hit(chrom=chrom, start=start, end=start + 1, percentile=percentile, **given)


HITS = [
    hit("chrII", 500, robust_z=1 / 3, fdr=1e-300, value=5e-324, flags=("near_n", "record_start")),
    hit("chrII", 20, 100.0, pulse="chr1:5:A", lag=0, half_life=12, reach=10**9),
    hit("NA", 7, 0.04, value=-123456789.123, context="NA"),
    hit("chrI", 3, 99.94),
]


def write_hits(writer, *records):
    for hits in records:
        writer.write(hits)
    writer.close()


def test_bed_is_appended_to_by_record_and_sorted_by_start_with_scores_up_to_1000(tmp_path):
    path = tmp_path / "hits.bed"
    write_hits(HitsBedWriter(path), HITS[:2], HITS[3:], [], [HITS[2]])
    assert path.read_text() == (
        "chrII\t20\t21\tchrII_20\t1000\t.\n"
        "chrII\t500\t501\tchrII_500\t990\t.\n"
        "chrI\t3\t4\tchrI_3\t999\t.\n"
        "NA\t7\t8\tNA_7\t0\t.\n"
    )
    frame = bioframe.read_table(path, schema="bed6", na_filter=False)
    assert frame["start"].tolist() == [20, 500, 3, 7]
    assert frame["score"].tolist() == [1000, 990, 999, 0]


def test_tsv_has_the_columns_of_the_contract_and_na_where_nothing_applies(tmp_path):
    path = tmp_path / "hits.tsv"
    write_hits(HitsTsvWriter(path), [HITS[0], HITS[3]])
    assert path.read_text() == (
        "chrom\tstart\tend\tname\ttrack\tvalue\tpercentile\trobust_z\tfdr\tpulse\tlag\thalf_life\treach\tflags\t"
        "context\tstrand\n"
        "chrII\t500\t501\tchrII_500\tresponse\t5e-324\t99.0\t0.3333333333333333\t1e-300\tNA\tNA\tNA\tNA\t"
        "near_n,record_start\tacgTACG\t.\n"
        "chrI\t3\t4\tchrI_3\tresponse\t0.1\t99.94\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tacgTACG\t.\n"
    )


def test_tsv_reads_back_as_equal_hits_in_the_same_order(tmp_path):
    path = tmp_path / "hits.tsv"
    write_hits(HitsTsvWriter(path), HITS)
    assert read_hits_tsv(path) == HITS
    write_hits(HitsTsvWriter(path), [])
    assert read_hits_tsv(path) == []


def test_a_float32_value_reads_back_as_the_number_it_was(tmp_path):
    path = tmp_path / "hits.tsv"
    write_hits(HitsTsvWriter(path), [hit("chr1", 1, value=np.float32(0.1))])
    assert read_hits_tsv(path)[0].value == np.float32(0.1)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "there is no such file"),
        ("", "no table"),
        ("chrom\tstart\nchr1\t5\n", "missing: end, name, track"),
        ("{HEADER}chrII\tfive\t501\tx\tresponse\t1.0\t99.0\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tA\n", "line 2, column start"),
        ("{HEADER}{GOOD}chrII\t500\t501\tx\tresp", "line 3, column value: nothing stands there"),
    ],
)
def test_a_damaged_tsv_is_one_line_naming_file_and_place(content, what, tmp_path):
    path = tmp_path / "hits.tsv"
    write_hits(HitsTsvWriter(path), HITS[:1])
    header, good = path.read_text().splitlines(keepends=True)
    path.unlink()
    if content is not None:
        path.write_text(content.replace("{HEADER}", header).replace("{GOOD}", good))
    with pytest.raises(HitsFileError) as caught:
        read_hits_tsv(path)
    message = str(caught.value)
    assert str(path) in message
    assert what in message
    assert "\n" not in message


def test_regions_table_says_what_was_dropped_and_why(tmp_path):
    path = tmp_path / "regions.tsv"
    rows = [
        RegionRow("chr1", 0, 100, None, "kept", None, 98, 2, 50, 1),
        RegionRow("chr2", 5, 9, 'gene "x", y', "dropped", "no scored base", 0, 4, 0, 0),
    ]
    write_regions_table(path, rows)
    assert path.read_text() == (
        "chrom\tstart\tend\tname\tstatus\treason\tbases_scored\tn\tsoft_masked\tiupac\n"
        "chr1\t0\t100\tNA\tkept\tNA\t98\t2\t50\t1\n"
        'chr2\t5\t9\tgene "x", y\tdropped\tno scored base\t0\t4\t0\t0\n'
    )


def test_chrom_sizes_are_read_by_bioframe_in_fasta_order(tmp_path):
    path = tmp_path / "x.chrom.sizes"
    write_chrom_sizes(path, [("chrII", 813184), ("chrI", 230218)])
    assert path.read_text() == "chrII\t813184\nchrI\t230218\n"
    assert bioframe.read_chromsizes(path, filter_chroms=False).to_dict() == {"chrII": 813184, "chrI": 230218}


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_chrom_sizes(path, [("chr1", 5)] * 10_000),
        lambda path: write_hits(HitsBedWriter(path), HITS),
        lambda path: write_hits(HitsTsvWriter(path), HITS),
        lambda path: write_regions_table(path, []),
        lambda path: trace_table(path).close(),
    ],
)
def test_a_full_disk_is_one_line_naming_the_file(write, full_disk):
    with pytest.raises(WriteError, match=f"cannot write {full_disk}"):
        write(full_disk)


def test_hits_are_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        HITS[0].value = 1.0


def test_a_table_is_on_the_disk_record_by_record_and_the_same_however_it_is_cut(tmp_path):
    write_hits(HitsTsvWriter(tmp_path / "one"), HITS)
    write_hits(HitsTsvWriter(tmp_path / "four"), *[[hit] for hit in HITS])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "four").read_bytes()
    assert len((tmp_path / "one").read_text().splitlines()) == 5


def test_rows_that_are_never_held_together_are_written_as_they_come(tmp_path):
    # More rows than a buffer holds: by the time that the last is asked for, the first are in the file.
    path = tmp_path / "regions.tsv"

    def rows():
        for start in range(2000):
            yield RegionRow("chr1", start, start + 1, None, "kept", None, 1, 0, 0, 0)
        assert path.stat().st_size > 10_000

    write_regions_table(path, rows())
    assert len(path.read_text().splitlines()) == 2001


def test_names_from_outside_never_break_a_line(tmp_path):
    path = tmp_path / "regions.tsv"
    wild = 'tab\there\nline\rfeed\x0b\x1b[2J\0 \x85\u2028"quoted" \udcff'
    write_regions_table(path, [RegionRow("chr1", 0, 9, wild, "kept", None, 9, 0, 0, 0)] * 2)
    assert path.read_bytes().count(b"\n") == 3
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line.count("\t") for line in lines] == [9, 9, 9]
    assert lines[1].split("\t")[3] == ('tab\\there\\nline\\rfeed\\x0b\\x1b[2J\\x00 \\x85\\u2028"quoted" \\udcff')
    assert pd.read_csv(path, sep="\t", quoting=csv.QUOTE_NONE).shape == (2, 10)
    bed = tmp_path / "hits.bed"
    write_hits(HitsBedWriter(bed), [hit("chr1", 3, name="a\tb\nc")])
    assert bed.read_text() == "chr1\t3\t4\ta\\tb\\nc\t990\t.\n"


def test_hits_whose_lines_other_tools_skip_are_counted_in_a_warning(tmp_path):
    writer = HitsBedWriter(tmp_path / "hits.bed")
    write_hits(writer, [hit("#x", 5), hit("#x", 6)], [hit("chr1", 1)], [hit("track", 1)])
    assert len((tmp_path / "hits.bed").read_text().splitlines()) == 4
    (warning,) = writer.warnings()
    assert warning.startswith("3 hits are on records whose names")
    assert "(#x, track); hits.tsv has them all" in warning
    writer = HitsBedWriter(tmp_path / "fine.bed")
    write_hits(writer, [hit("chr1", 1)])
    assert writer.warnings() == []


def test_cells_that_a_spreadsheet_computes_are_kept_for_programs_and_warned_of(tmp_path):
    path = tmp_path / "regions.tsv"
    names = ["=1+1", "@SUM(A1)", "-35_box", "+1", "fine", "-", None]
    rows = [RegionRow("chr1", at, at + 1, name, "kept", None, 1, 0, 0, 0) for at, name in enumerate(names)]
    (warning,) = write_regions_table(path, rows)
    assert warning.startswith("4 cells of regions.tsv begin with a sign")
    assert "(=1+1, @SUM(A1), -35_box, ...): import" in warning
    frame = pd.read_csv(path, sep="\t", quoting=csv.QUOTE_NONE, na_values=["NA"], keep_default_na=False)
    assert frame["name"].tolist()[:-1] == names[:-1]
    assert write_regions_table(path, rows[4:]) == []
    writer = HitsTsvWriter(tmp_path / "hits.tsv")
    write_hits(writer, [hit("=A1", 5, value=-1.0)])
    assert writer.warnings()[0].startswith("2 cells of hits.tsv")


SOURCE = TraceRow("chr1", 3, 4, "A", "ghost_1", 1200, 1197, -1 / 3, 1e-300)


def test_a_trace_reads_back_as_equal_rows(tmp_path):
    path = tmp_path / "trace.tsv"
    with trace_table(path) as table:
        table.write([SOURCE])
        table.write([])
        table.write([SOURCE._replace(chrom="NA")])
    assert path.read_text() == (
        "chrom\tstart\tend\tbase\thit\thit_start\tdistance\tvalue\tshare\n"
        "chr1\t3\t4\tA\tghost_1\t1200\t1197\t-0.3333333333333333\t1e-300\n"
        "NA\t3\t4\tA\tghost_1\t1200\t1197\t-0.3333333333333333\t1e-300\n"
    )
    assert read_trace_table(path) == [SOURCE, SOURCE._replace(chrom="NA")]


@pytest.mark.parametrize(
    "content", [None, "", "chrom\tstart\n", "x\n\xff", "{GOOD}a\tb\n", "{GOOD}" + "x\t" * 10 + "\n"]
)
def test_a_damaged_trace_is_one_line_naming_the_file(content, tmp_path):
    path = tmp_path / "trace.tsv"
    with trace_table(path) as table:
        table.write([SOURCE])
    good = path.read_text()
    path.unlink()
    if content is not None:
        path.write_bytes(content.replace("{GOOD}", good).encode("latin-1"))
    with pytest.raises(TraceFileError, match=r"cannot read .*trace\.tsv"):
        read_trace_table(path)


def test_tables_of_pandas_and_ours_are_the_same_bytes(tmp_path):
    cells = [["NA", 1, 0.1, None], ['q"u', -5, 1e300, "x"], ["é", 10**15, float("nan"), ""], ["-", 0, 1e-7, "a b"]]
    with TableWriter(tmp_path / "ours", ["a", "b", "c", "d"]) as table:
        table.write(cells)
    frame = pd.DataFrame(cells, columns=["a", "b", "c", "d"], dtype=object)
    frame.to_csv(tmp_path / "theirs", sep="\t", index=False, na_rep="NA", quoting=csv.QUOTE_NONE, lineterminator="\n")
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    header, rows = read_table(tmp_path / "ours")
    assert header == ["a", "b", "c", "d"]
    assert rows[2] == ["é", "1000000000000000", "NA", ""]


def test_a_row_of_another_length_is_no_row(tmp_path):
    with pytest.raises(ValueError, match="3 cells for 2 columns"), TableWriter(tmp_path / "t", ["a", "b"]) as table:
        table.write([["x", "y", "z"]])
