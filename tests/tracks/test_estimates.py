"""Estimates against the size of files that were really written."""

import numpy as np
import pytest
from pgf_cli.tracks.UNKNOWN_estimated_bytes import estimated_bytes

from pgf_cli.tracks.bedgraph import BedGraphWriter
from pgf_cli.tracks.bigwig import BigWigWriter
from pgf_cli.tracks.csv_table import CsvWriter
from pgf_cli.tracks.estimates import readable_bytes
from pgf_cli.tracks.request import Span
from pgf_cli.tracks.tabix import TabixIndex
from pgf_cli.tracks.tile import ScoredTile

SPANS = [Span("chrI", 0, 30_000), Span("a_much_longer_name", 99_990_000, 100_010_000)]


def written_bytes(writer, path, tracks, dtype, scale):
    rng = np.random.default_rng(1)
    for span in SPANS:
        length = span.end - span.start
        values = {track: (scale * rng.lognormal(size=length)).astype(dtype) for track in tracks}
        writer.write(ScoredTile(span.contig, span.start, rng.integers(0, 4, length, dtype=np.uint8), values))
    writer.close()
    return path.stat().st_size


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
def test_text_is_estimated_within_a_fifth(dtype, scale, tmp_path):
    path, itemsize = tmp_path / "t", np.dtype(dtype).itemsize
    bedgraph = written_bytes(BedGraphWriter(path, "a"), path, ["a"], dtype, scale)
    assert estimated_bytes("bedgraph", SPANS, 1, itemsize) == pytest.approx(bedgraph, rel=0.2)
    assert estimated_bytes("bedgraph", SPANS, 3, itemsize) == pytest.approx(3 * bedgraph, rel=0.2)
    table = written_bytes(CsvWriter(path, ["a", "b"]), path, ["a", "b"], dtype, scale)
    assert estimated_bytes("csv", SPANS, 2, itemsize) == pytest.approx(table, rel=0.2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compressed_text_is_estimated_within_a_fifth(dtype, tmp_path):
    path, itemsize = tmp_path / "t", np.dtype(dtype).itemsize
    index = TabixIndex(tmp_path / "index", csi=False)
    bedgraph = written_bytes(BedGraphWriter(path, "a", index=index), path, ["a"], dtype, 1.0)
    assert estimated_bytes("bedgraph", SPANS, 1, itemsize, bgzip=True) == pytest.approx(bedgraph, rel=0.2)
    table = written_bytes(CsvWriter(path, ["a", "b"], bgzip=True), path, ["a", "b"], dtype, 1.0)
    assert estimated_bytes("csv", SPANS, 2, itemsize, bgzip=True) == pytest.approx(table, rel=0.2)


def test_positions_are_counted_to_the_character(tmp_path):
    # With a value of known width what is left is exact: "0.5" instead of the mean width.
    path = tmp_path / "t"
    writer = BedGraphWriter(path, "a")
    for span in (spans := [Span("c", 0, 1234), Span("c", 99_998, 100_003)]):
        length = span.end - span.start
        writer.write(ScoredTile("c", span.start, np.zeros(length, dtype=np.uint8), {"a": np.full(length, 0.5)}))
    writer.close()
    assert estimated_bytes("bedgraph", spans, 1, 4) - (1234 + 5) * (11 - 3) == path.stat().st_size


def test_bigwig_is_estimated_roughly(tmp_path):
    path = tmp_path / "t.bw"
    sizes = [("chrI", 30_000), ("a_much_longer_name", 100_010_000)]
    written = written_bytes(BigWigWriter(path, "a", sizes), path, ["a"], np.float32, 1.0)
    assert estimated_bytes("bigwig", SPANS, 1, 4) == pytest.approx(written, rel=0.3)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_960, "1.0 MB"),
        (3.2e9, "3.2 GB"),
        (2e15, "2,000.0 TB"),
    ],
)
def test_sizes_read_well(count, text):
    assert readable_bytes(count) == text
