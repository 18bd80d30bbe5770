"""bedGraph read back by bioframe and by splitting lines by hand."""

import bioframe
import numpy as np
import pytest

from pgf_cli.tracks.bedgraph import BedGraphWriter, TrackLine
from pgf_cli.tracks.disk import WriteError
from pgf_cli.tracks.tile import NonFiniteScoreError, ScoredTile, finishing


def one_tile(values, start=0, contig="chr1"):
    values = np.asarray(values)
    return ScoredTile(contig, start, np.zeros(len(values), dtype=np.uint8), {"response": values})


def test_one_line_per_scored_base_none_at_n_in_fasta_order(genome, tmp_path):
    path = tmp_path / "t.bedgraph"
    genome.write(BedGraphWriter(path, "response"))
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    read = [(chrom, int(start), int(end), genome.dtype(value)) for chrom, start, end, value in lines]
    assert read == [(chrom, start, start + 1, value) for chrom, start, _, value in genome.rows("response")]


def test_bioframe_reads_the_same_track(genome, tmp_path):
    path = tmp_path / "t.bedgraph"
    genome.write(BedGraphWriter(path, "ghost"))
    frame = bioframe.read_table(path, schema="bedGraph")
    expected = genome.rows("ghost")
    assert frame["chrom"].tolist() == [row[0] for row in expected]
    assert frame["start"].tolist() == [row[1] for row in expected]
    assert frame["end"].tolist() == [row[1] + 1 for row in expected]
    # pandas' parser is off by a unit in the last place of float64; exactness is checked by hand above and below.
    values = frame["value"].to_numpy().astype(genome.dtype)
    np.testing.assert_allclose(values, [row[3] for row in expected], rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_value_reads_back_exactly_in_its_fewest_digits(dtype, tmp_path):
    limits = np.finfo(dtype)
    special = [0, 1, 0.1, 1e-38, limits.smallest_subnormal, limits.tiny, limits.max, 1e15, 1e16, 123456789, 1e-5, 1e-7]
    bits = np.random.default_rng(1).integers(0, 2**63, 20_000, dtype=np.uint64)
    anything = bits.astype(np.uint32).view(np.float32) if dtype is np.float32 else bits.view(np.float64)
    values = np.concatenate([np.array(special, dtype=dtype), anything[np.isfinite(anything)]])
    path = tmp_path / "t.bedgraph"
    writer = BedGraphWriter(path, "response")
    writer.write(one_tile(values))
    writer.close()
    texts = [line.split("\t")[3] for line in path.read_text().splitlines()]
    assert (np.array([float(text) for text in texts], dtype=dtype) == values).all()

    def digits(text):
        return len(text.lower().split("e")[0].replace(".", "").replace("-", "").strip("0"))

    # NumPy's own shortest form as the reference for "fewest".
    assert [digits(text) for text in texts] == [digits(np.format_float_scientific(value)) for value in values]


@pytest.mark.parametrize("size", [1, 7, 1500])
def test_bytes_do_not_depend_on_where_tiles_end(size, genome, tmp_path, monkeypatch):
    genome.write(BedGraphWriter(tmp_path / "a", "response"))
    monkeypatch.setattr("pgf_cli.tracks.rows.BLOCK_ROWS", 100)
    genome.write(BedGraphWriter(tmp_path / "b", "response"), size)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_track_line_comes_first_and_only_when_asked_for(tmp_path):
    path = tmp_path / "t.bedgraph"
    writer = BedGraphWriter(path, "response", TrackLine("yeast response", 'of "sample"'))
    writer.write(one_tile(np.array([0.5], dtype=np.float32), start=9))
    writer.close()
    track_line = 'track type=bedGraph name="yeast response" description="of \'sample\'"\n'
    assert path.read_text() == track_line + "chr1\t9\t10\t0.5\n"


def test_names_with_quotes_and_commas_are_written_as_they_are(tmp_path):
    path = tmp_path / "t.bedgraph"
    writer = BedGraphWriter(path, "response")
    writer.write(one_tile(np.array([0.5]), contig='a,"b"'))
    writer.close()
    assert path.read_text() == 'a,"b"\t0\t1\t0.5\n'


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_fails_the_run_and_names_the_base(value, tmp_path):
    writer = BedGraphWriter(tmp_path / "t.bedgraph", "response")
    tile = one_tile(np.array([1.0, 2.0, value, value]), start=100)
    with pytest.raises(NonFiniteScoreError, match=r"response at chr1:103 is -?(nan|inf)"), finishing([writer]):
        writer.write(tile)


def test_a_full_disk_is_one_line_naming_the_file(full_disk):
    writer = BedGraphWriter(full_disk, "response")
    with pytest.raises(WriteError, match=rf"cannot write {full_disk}: No space left.*--output") as caught:  # noqa: SIM117
        with finishing([writer]):
            writer.write(one_tile(np.ones(1000)))
    assert "\n" not in str(caught.value)
