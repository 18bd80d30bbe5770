"""bigWig read back by pybigtools and figwig, its sections and zoom levels by hand."""

import struct
import sys
import zlib

import figwig
import numpy as np
import pybigtools
import pytest

from pgf_cli.tracks.bigwig import BigWigWriter, MissingBigWigError, UnwritableBigWigError, check_bigwig
from pgf_cli.tracks.disk import WriteError
from pgf_cli.tracks.tile import NonFiniteScoreError, ScoredTile, finishing


def tile_of(values, start=0):
    values = np.asarray(values)
    return ScoredTile("chr1", start, np.zeros(len(values), dtype=np.uint8), {"response": values})


def write_one(path, tiles, length):
    writer = BigWigWriter(path, "response", [("chr1", length)])
    for tile in tiles:
        writer.write(tile)
    writer.close()


def dense(genome, contig, track):
    values = genome.values[contig][track].astype(np.float32)
    return np.where(genome.bases[contig] < 4, values, np.nan).astype(np.float32)


@pytest.mark.parametrize("track", ["response", "ghost"])
def test_pybigtools_reads_every_value_zero_included_and_nothing_at_n(genome, track, tmp_path):
    path = tmp_path / "t.bw"
    genome.write(BigWigWriter(path, track, genome.sizes))
    with pybigtools.open(str(path)) as reader:
        assert list(reader.chroms().items()) == genome.sizes
        for contig, length in genome.sizes:
            read = np.full(length, np.nan, dtype=np.float32)
            for start, end, value in reader.records(contig, 0, length):
                read[start:end] = value
            np.testing.assert_array_equal(read, dense(genome, contig, track))


def test_figwig_reads_every_value(genome, tmp_path):
    path = tmp_path / "t.bw"
    genome.write(BigWigWriter(path, "response", genome.sizes))
    reader = figwig.BigWigReader(str(path))
    for contig, length in genome.sizes:
        read = reader.read([contig], [0], length, missing=np.nan)
        np.testing.assert_array_equal(read[0], dense(genome, contig, "response"))


def test_regions_far_apart_and_single_bases_come_back(tmp_path):
    tiles = [tile_of([1.5], 3), tile_of([2.5, 3.5], 10), tile_of([4.5], 40_000_000)]
    write_one(tmp_path / "t.bw", tiles, 50_000_000)
    with pybigtools.open(str(tmp_path / "t.bw")) as reader:
        records = list(reader.records("chr1", 0, 50_000_000))
    assert records == [(3, 4, 1.5), (10, 11, 2.5), (11, 12, 3.5), (40_000_000, 40_000_001, 4.5)]


def first_section_type(data):
    """Type byte of the first data section. Source: Kent et al. 2010, supplementary tables 5 and 13."""
    (data_offset,) = struct.unpack_from("<Q", data, 16)
    section = zlib.decompressobj().decompress(data[data_offset + 8 :])
    return section[20]


def test_sections_are_fixed_step_and_zooms_hold_the_summary(tmp_path):
    values = np.random.default_rng(1).lognormal(size=40_000).astype(np.float32)
    write_one(tmp_path / "t.bw", [tile_of(values)], len(values))
    data = (tmp_path / "t.bw").read_bytes()
    fixed_step = 3
    assert first_section_type(data) == fixed_step
    with pybigtools.open(str(tmp_path / "t.bw")) as reader:
        summary = reader.info()["summary"]
        assert summary["basesCovered"] == len(values)
        assert summary["max"] == pytest.approx(values.max())
        assert summary["min"] == pytest.approx(values.min())
        assert summary["sum"] == pytest.approx(values.sum(dtype=np.float64), rel=1e-6)
        assert reader.zooms() == [16, 64, 256, 1024, 4096, 16384]
        zoomed = list(reader.zoom_records(64, "chr1", 0, 40_000))
    assert [record[:2] for record in zoomed] == [(start, start + 64) for start in range(0, 40_000, 64)]
    sums = [record[2]["sum"] for record in zoomed]
    np.testing.assert_allclose(sums, values.reshape(-1, 64).sum(axis=1, dtype=np.float64), rtol=1e-6)


@pytest.mark.parametrize("size", [1, 50, 2000])
def test_bytes_do_not_depend_on_where_tiles_end(size, genome, tmp_path):
    genome.write(BigWigWriter(tmp_path / "a.bw", "response", genome.sizes))
    genome.write(BigWigWriter(tmp_path / "b.bw", "response", genome.sizes), size)
    assert (tmp_path / "a.bw").read_bytes() == (tmp_path / "b.bw").read_bytes()


def test_records_without_bases_are_left_out_of_the_header(tmp_path):
    writer = BigWigWriter(tmp_path / "t.bw", "response", [("empty", 0), ("chr1", 9)])
    writer.write(tile_of([1.0, 2.0]))
    writer.close()
    with pybigtools.open(str(tmp_path / "t.bw")) as reader:
        assert reader.chroms() == {"chr1": 9}


def test_what_bigwig_cannot_hold_is_named(tmp_path):
    writer = BigWigWriter(tmp_path / "t.bw", "response", [("chr1", 9)])
    with pytest.raises(NonFiniteScoreError, match="chr1:2"):
        writer.write(tile_of([1.0, np.nan]))
    writer.write(tile_of([1.0, 1e39]))
    with pytest.raises(UnwritableBigWigError, match=r"chr1:2 is 1e\+39, beyond the float32"), finishing([writer]):
        pass


def test_missing_library_is_one_line_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "figwig", None)
    with pytest.raises(MissingBigWigError, match=r"pip install 'pgf-sensitivity\[bigwig\]'"):
        check_bigwig([("chr1", 9)])


def test_records_that_readers_could_not_find_are_refused():
    with pytest.raises(UnwritableBigWigError, match="chr1 has 4,294,967,296 bases"):
        check_bigwig([("chr1", 2**32)])
    scaffolds = [(f"scaffold{i:05}", 100) for i in range(33_000)]
    check_bigwig(scaffolds)
    with pytest.raises(UnwritableBigWigError, match="sorted by name"):
        check_bigwig(scaffolds[::-1])
    check_bigwig(scaffolds[:100][::-1])


def test_a_full_disk_is_one_line_naming_the_file(full_disk):
    with pytest.raises(WriteError, match=f"cannot write {full_disk}"):
        write_one(full_disk, [tile_of(np.random.default_rng(1).random(70_000))], 70_000)


def test_a_discarded_file_is_no_bigwig(tmp_path):
    path = tmp_path / "t.bw"
    writer = BigWigWriter(path, "response", [("chr1", 100_000)])

    def interrupted():
        with finishing([writer]):
            writer.write(tile_of(np.random.default_rng(1).random(70_000)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes()[:4] == bytes(4)
