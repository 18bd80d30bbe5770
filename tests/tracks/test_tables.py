"""Hits, regions and chromosome sizes against hand-written files and back."""

import dataclasses

import bioframe
import numpy as np
import pytest
from pgf_cli.tracks.UNKNOWN_write_hits_bed import write_hits_bed
from pgf_cli.tracks.UNKNOWN_write_hits_tsv import write_hits_tsv

from pgf_cli.hits import Hit
from pgf_cli.tracks.chrom_sizes import write_chrom_sizes
from pgf_cli.tracks.disk import WriteError
from pgf_cli.tracks.hit_files import HitsFileError, read_hits_tsv
from pgf_cli.tracks.regions_table import RegionRow, write_regions_table


def hit(chrom, start, percentile=99.0, **fields):
    given = {"name": f"{chrom}_{start}", "track": "response", "value": 0.1, "context": "acgTACG"} | fields
    return Hit(chrom=chrom, start=start, end=start + 1, percentile=percentile, **given)


HITS = [
    hit("chrII", 500, robust_z=1 / 3, fdr=1e-300, value=5e-324, flags=("near_n", "record_start")),
    hit("chrII", 20, 100.0, pulse="chr1:5:A", lag=0, half_life=12, reach=10**9),
    hit("NA", 7, 0.04, value=-123456789.123, context="NA"),
    hit("chrI", 3, 99.94),
]


def test_bed_is_sorted_by_fasta_order_and_start_with_scores_up_to_1000(tmp_path):
    path = tmp_path / "hits.bed"
    write_hits_bed(path, HITS, ["chrII", "chrI", "NA"])
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
    write_hits_tsv(path, [HITS[0], HITS[3]])
    assert path.read_text() == (
        "chrom\tstart\tend\tname\ttrack\tvalue\tpercentile\trobust_z\tfdr\tpulse\tlag\thalf_life\treach\tflags\tcontext\n"
        "chrII\t500\t501\tchrII_500\tresponse\t5e-324\t99.0\t0.3333333333333333\t1e-300\tNA\tNA\tNA\tNA\t"
        "near_n,record_start\tacgTACG\n"
        "chrI\t3\t4\tchrI_3\tresponse\t0.1\t99.94\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tacgTACG\n"
    )


def test_tsv_reads_back_as_equal_hits_in_the_same_order(tmp_path):
    path = tmp_path / "hits.tsv"
    write_hits_tsv(path, HITS)
    assert read_hits_tsv(path) == HITS
    write_hits_tsv(path, [])
    assert read_hits_tsv(path) == []


def test_a_float32_value_reads_back_as_the_number_it_was(tmp_path):
    path = tmp_path / "hits.tsv"
    write_hits_tsv(path, [hit("chr1", 1, value=np.float32(0.1))])
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
    write_hits_tsv(path, HITS[:1])
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
        lambda path: write_hits_bed(path, HITS, ["chrII", "chrI", "NA"]),
        lambda path: write_hits_tsv(path, HITS),
        lambda path: write_regions_table(path, []),
    ],
)
def test_a_full_disk_is_one_line_naming_the_file(write, full_disk):
    with pytest.raises(WriteError, match=f"cannot write {full_disk}"):
        write(full_disk)


def test_hits_are_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        HITS[0].value = 1.0
