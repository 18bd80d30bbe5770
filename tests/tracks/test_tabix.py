"""Compressed text and its index, read back by Python's gzip, by Biopython and by the index's specification."""

import gzip
import struct
import sys

import numpy as np
import pytest
from Bio import bgzf

from pgf_cli.tracks.bedgraph import BedGraphWriter, TrackLine
from pgf_cli.tracks.csv_table import CsvWriter
from pgf_cli.tracks.disk import WriteError
from pgf_cli.tracks.tabix import MissingPysamError, TabixIndex, check_tabix, needs_csi
from pgf_cli.tracks.tile import ScoredTile, finishing

WINDOW = 1 << 14


def tile(start, length, contig="chr1"):
    rng = np.random.default_rng(start)
    return ScoredTile(contig, start, rng.integers(0, 4, length, dtype=np.uint8), {"response": rng.random(length)})


def write(path, tiles, csi=False, track_line=None):
    """Write a compressed bedGraph; return the path of its index."""
    index = path.with_name(f"{path.name}.index")
    writer = BedGraphWriter(path, "response", track_line, TabixIndex(index, csi))
    for part in tiles:
        writer.write(part)
    writer.close()
    return index


def linear_index(path):
    """Columns, lines to skip, and for each record the virtual offset of every 16 kb window, as the format says."""
    data = gzip.decompress(path.read_bytes())
    magic, records, kind, chrom, begin, end, _, skip, name_bytes = struct.unpack_from("<4s8i", data)
    assert magic == b"TBI\1"
    assert kind == 0x10000  # generic, 0-based half-open
    names = data[36 : 36 + name_bytes].decode().split("\0")[:-1]
    at, offsets = 36 + name_bytes, {}
    for name in names:
        (bins,) = struct.unpack_from("<i", data, at)
        at += 4
        for _ in range(bins):
            _, chunks = struct.unpack_from("<Ii", data, at)
            at += 8 + 16 * chunks
        (windows,) = struct.unpack_from("<i", data, at)
        offsets[name] = struct.unpack_from(f"<{windows}Q", data, at + 4)
        at += 4 + 8 * windows
    assert len(names) == records
    return (chrom, begin, end), skip, offsets


def test_compressed_files_hold_the_bytes_of_the_plain_ones_in_bgzf_blocks(genome, tmp_path):
    index = TabixIndex(tmp_path / "index", csi=False)
    genome.write(BedGraphWriter(tmp_path / "plain.bedgraph", "ghost"))
    genome.write(BedGraphWriter(tmp_path / "small.bedgraph", "ghost", index=index))
    genome.write(CsvWriter(tmp_path / "plain.csv", ["response", "ghost"]))
    genome.write(CsvWriter(tmp_path / "small.csv", ["response", "ghost"], bgzip=True))
    for kind in ("bedgraph", "csv"):
        compressed = tmp_path / f"small.{kind}"
        assert gzip.decompress(compressed.read_bytes()) == (tmp_path / f"plain.{kind}").read_bytes()
        with compressed.open("rb") as file:
            blocks = list(bgzf.BgzfBlocks(file))
        assert len(blocks) > 1
        assert blocks[-1][3] == 0  # the empty block by which a cut file is told


@pytest.mark.parametrize("track_line", [None, TrackLine("a", "b")])
def test_the_index_leads_to_the_first_base_of_every_window_of_every_record(tmp_path, track_line):
    path = tmp_path / "t"
    tiles = [tile(0, 40_000), tile(90_000, 20_000), tile(5, 20_000, "chr2")]
    index = write(path, tiles, track_line=track_line)
    columns, skip, offsets = linear_index(index)
    assert columns == (1, 2, 3)
    assert skip == (track_line is not None)
    starts = {"chr1": [*range(40_000), *range(90_000, 110_000)], "chr2": range(5, 20_005)}
    with bgzf.BgzfReader(path) as reader:
        for contig, windows in offsets.items():
            for window in sorted({start // WINDOW for start in starts[contig]}):
                reader.seek(windows[window])
                chrom, start, *_ = reader.readline().split("\t")
                assert chrom == contig
                assert int(start) == min(start for start in starts[contig] if start >= window * WINDOW)


def test_records_beyond_what_tbi_can_index_get_csi(tmp_path):
    import pysam

    assert needs_csi([1000, 2**29 + 1])
    assert not needs_csi([1000, 2**29])
    index = write(tmp_path / "t", [tile(600_000_000, 50)], csi=True)
    assert gzip.decompress(index.read_bytes()).startswith(b"CSI\1")
    with pysam.TabixFile(str(tmp_path / "t"), index=str(index)) as track:
        lines = list(track.fetch("chr1", 600_000_007, 600_000_009))
    assert [line.split("\t")[1] for line in lines] == ["600000007", "600000008"]


def test_a_track_without_a_row_has_an_index_too(tmp_path):
    _, _, offsets = linear_index(write(tmp_path / "t", []))
    assert offsets == {}


def test_disks_that_refuse_are_one_line_naming_the_file(full_disk, tmp_path, capfd):
    for path, index in ((full_disk, tmp_path / "index"), (tmp_path / "t", full_disk)):
        writer = BedGraphWriter(path, "response", index=TabixIndex(index, csi=False))
        with pytest.raises(WriteError, match=rf"cannot write {full_disk}: .*free some space") as caught:  # noqa: SIM117
            with finishing([writer]):
                writer.write(tile(0, 10))
        assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_missing_library_names_what_to_install(monkeypatch):
    check_tabix()
    monkeypatch.setitem(sys.modules, "pysam", None)
    with pytest.raises(MissingPysamError, match=r"pgf-sensitivity\[bgzip\]"):
        check_tabix()
