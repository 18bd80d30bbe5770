"""CSV read back by the standard library's csv module."""

import csv

import numpy as np
import pytest

from pgf_cli.tracks.bedgraph import BedGraphWriter
from pgf_cli.tracks.csv_table import CsvWriter
from pgf_cli.tracks.tile import NonFiniteScoreError, ScoredTile


def test_columns_are_base_and_tracks_side_by_side(genome, tmp_path):
    path = tmp_path / "t.csv"
    genome.write(CsvWriter(path, ["ghost", "response"]))
    with path.open(newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["chrom", "start", "end", "base", "ghost", "response"]
    read = [(c, int(s), int(e), b, genome.dtype(g), genome.dtype(r)) for c, s, e, b, g, r in lines]
    assert read == [(c, s, s + 1, "ACGT"[code], -value, value) for c, s, code, value in genome.rows("response")]


def test_values_are_the_text_of_the_bedgraph(genome, tmp_path):
    genome.write(CsvWriter(tmp_path / "t.csv", ["response"]))
    genome.write(BedGraphWriter(tmp_path / "t.bedgraph", "response"), size=1000)
    in_csv = [line.split(",")[4] for line in (tmp_path / "t.csv").read_text().splitlines()[1:]]
    assert in_csv == [line.split("\t")[3] for line in (tmp_path / "t.bedgraph").read_text().splitlines()]


def test_names_with_commas_and_quotes_come_back(tmp_path):
    contig, track = 'gi|1,"x"', "response.chr1,2_5"
    writer = CsvWriter(tmp_path / "t.csv", [track])
    writer.write(ScoredTile(contig, 4, np.array([2, 4], dtype=np.uint8), {track: np.array([0.25, np.nan])}))
    writer.close()
    with (tmp_path / "t.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["chrom", "start", "end", "base", track], [contig, "4", "5", "G", "0.25"]]


def test_a_run_without_scored_bases_leaves_a_header(tmp_path):
    writer = CsvWriter(tmp_path / "t.csv", ["response"])
    writer.write(ScoredTile("chr1", 0, np.full(9, 4, dtype=np.uint8), {"response": np.zeros(9)}))
    writer.close()
    assert (tmp_path / "t.csv").read_text() == "chrom,start,end,base,response\n"


def test_the_error_names_the_track_that_is_no_number(tmp_path):
    writer = CsvWriter(tmp_path / "t.csv", ["response", "ghost"])
    values = {"response": np.ones(2), "ghost": np.array([1.0, np.nan])}
    with pytest.raises(NonFiniteScoreError, match="ghost at chr1:2 "):
        writer.write(ScoredTile("chr1", 0, np.zeros(2, dtype=np.uint8), values))
    writer.discard()
