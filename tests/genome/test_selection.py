"""What is read and written for what is asked; merging is checked base by base against a set of positions."""

import numpy as np
import pytest

from pgf_cli.errors import UsageError
from pgf_cli.genome import ContigNotFoundError, ReadPass, Region, RegionError, RequestedRegion, select

LENGTHS = {"chr2": 1000, "chr1": 500, "empty": 0, "chrM": 30}


def test_by_default_every_record_is_swept_whole_in_fasta_order():
    selection = select(LENGTHS)
    whole = [Region("chr2", 0, 1000), Region("chr1", 0, 500), Region("chrM", 0, 30)]
    assert selection.passes == tuple(ReadPass(region.contig, 0, (region,)) for region in whole)
    assert selection.requested[2] == RequestedRegion(Region("empty", 0, 0), ".", False, "has no bases")
    assert len(selection.requested) == 4


def test_regions_are_read_from_the_records_first_base():
    (sweep,) = select(LENGTHS, regions=["chr1:401-450", "chr1:101-200"]).passes
    assert sweep == ReadPass("chr1", 0, (Region("chr1", 100, 200), Region("chr1", 400, 450)))
    assert sweep.end == 450


def test_context_gives_each_region_a_sweep_of_its_own():
    sweeps = select(LENGTHS, regions=["chr1:401-450", "chr1:51-200"], context=100).passes
    assert sweeps == (
        ReadPass("chr1", 0, (Region("chr1", 50, 200),)),
        ReadPass("chr1", 300, (Region("chr1", 400, 450),)),
    )
    assert [sweep.start for sweep in select(LENGTHS, regions=["chr1:401-450"], context=0).passes] == [400]


def test_overlapping_and_touching_regions_are_merged_and_others_are_not():
    (sweep,) = select(LENGTHS, regions=["chr1:11-20", "chr1:1-10", "chr1:15-30", "chr1:32-40", "chr1:33-35"]).passes
    assert sweep.spans == (Region("chr1", 0, 30), Region("chr1", 31, 40))


@pytest.mark.parametrize("seed", range(5))
def test_merged_spans_cover_exactly_what_was_asked(seed):
    rng = np.random.default_rng(seed)
    bounds = np.sort(rng.integers(1, 500, (12, 2)), axis=1)
    (sweep,) = select(LENGTHS, regions=[f"chr1:{start}-{end}" for start, end in bounds]).passes
    covered = [base for span in sweep.spans for base in range(span.start, span.end)]
    assert covered == sorted({base for start, end in bounds for base in range(start - 1, end)})


def test_regions_bed_and_records_are_united_and_every_row_is_kept_track_of(tmp_path):
    bed = tmp_path / "regions.bed"
    bed.write_text("chr1\t90\t120\tpeak\nchr1\t490\t501\tlate\nchr9\t0\t5\n")
    selection = select(LENGTHS, regions=["chr1:81-100"], bed=bed, chroms=["chrM"])
    assert [(row.name, row.kept) for row in selection.requested] == [
        (".", True),
        ("peak", True),
        ("late", False),
        (".", False),
        (".", True),
    ]
    assert selection.passes == (
        ReadPass("chr1", 0, (Region("chr1", 80, 120),)),
        ReadPass("chrM", 0, (Region("chrM", 0, 30),)),
    )


def test_sweeps_follow_the_fasta_whatever_the_order_of_asking():
    assert [sweep.contig for sweep in select(LENGTHS, chroms=["chrM", "chr1", "chr2"]).passes] == [
        "chr2",
        "chr1",
        "chrM",
    ]


def test_nothing_kept_says_why(tmp_path):
    bed = tmp_path / "regions.bed"
    bed.write_text("chr1\t490\t501\n1\t0\t5\n" + "chrX\t0\t5\n" * 8)
    with pytest.raises(RegionError, match="all 10 regions asked for were dropped") as error:
        select(LENGTHS, bed=bed)
    assert "chr1:491-501: ends at 501, past the 500 bases of 'chr1'; 1:1-5: the FASTA has no record '1'" in str(
        error.value
    )
    assert "\n" not in str(error.value)


def test_a_bed_file_without_rows_is_an_error_and_not_the_whole_genome(tmp_path):
    bed = tmp_path / "regions.bed"
    bed.write_text("# nothing\n")
    with pytest.raises(RegionError, match="has no rows"):
        select(LENGTHS, bed=bed)


def test_an_unknown_record_and_a_negative_context_are_refused():
    with pytest.raises(ContigNotFoundError, match="no record 'chrMT'; it calls that chromosome 'chrM'"):
        select(LENGTHS, chroms=["chrMT"])
    with pytest.raises(UsageError, match="context of -1"):
        select(LENGTHS, context=-1)
