"""Every file that is written here, on a disk that ends anywhere: the system itself cuts the writes short."""

import resource
from contextlib import contextmanager

import numpy as np
import pytest

from pgf_cli.hits import Hit
from pgf_cli.tracks.background import BackgroundWriter
from pgf_cli.tracks.chrom_sizes import write_chrom_sizes
from pgf_cli.tracks.disk import WriteError
from pgf_cli.tracks.hit_files import HitsBedWriter, HitsTsvWriter
from pgf_cli.tracks.outputs import open_formats, output_files
from pgf_cli.tracks.regions_table import RegionRow, write_regions_table
from pgf_cli.tracks.registry import FORMATS, format_names, output_format
from pgf_cli.tracks.tabix import TabixIndex, write_tabix
from pgf_cli.tracks.textfile import TextFile
from pgf_cli.tracks.tile import HYPOTHETICAL, ScoredTile, finishing
from pgf_cli.tracks.trace_table import TraceRow, trace_table

LENGTH = 3000


@contextmanager
def no_file_longer_than(size):
    """The kernel writes up to there, says so, and refuses what comes next (EFBIG), as a full disk does (ENOSPC)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def tiles(contig):
    rng = np.random.default_rng(3)
    names = ("response", *HYPOTHETICAL)
    for start in range(0, LENGTH, 500):
        values = {name: rng.normal(size=500).astype(np.float32) for name in names}
        yield ScoredTile(contig, start, rng.integers(0, 4, 500, dtype=np.uint8), values)


def limits(size):
    """Some that are too small for a file of so many bytes: none, a header, within a buffer, all but the end."""
    return sorted({limit for limit in (0, 1, 100, size // 3, size // 2, size - 4097, size - 1) if 0 <= limit < size})


WAYS = [(name, bgzip) for name in format_names() for bgzip in (False, True) if FORMATS[name].text or not bgzip]


@pytest.mark.parametrize(("name", "bgzip"), WAYS)
def test_a_track_is_whole_or_the_run_is_told_which_file_is_not(name, bgzip, make_request, tmp_path):
    made = output_format(name)
    request = make_request(lengths={"chr1": LENGTH, "chr2": LENGTH}, bgzip=bgzip)

    def write(folder):
        folder.mkdir(exist_ok=True)
        paths = {key: folder / f"x{suffix}" for key, suffix in output_files([made], request).items()}
        writer = BackgroundWriter(open_formats([made], request, paths))
        with finishing([writer]):
            for contig in request.lengths:
                for tile in tiles(contig):
                    writer.write(tile)
        return {path.name: path.read_bytes() for path in paths.values()}

    whole = write(tmp_path / "whole")
    for limit in limits(max(map(len, whole.values()))):
        with no_file_longer_than(limit), pytest.raises(WriteError, match=r"cannot write \S+/x\.\S+: ") as caught:
            write(tmp_path / str(limit))
        assert "\n" not in str(caught.value)
        assert "File too large" in str(caught.value)
        # Nothing is left but under the names that were given.
        assert {path.name for path in (tmp_path / str(limit)).iterdir()} <= set(whole)
    # The arrays' temporary file holds the bases beside them, and is a little longer.
    with no_file_longer_than(2 * max(map(len, whole.values()))):
        assert write(tmp_path / "enough") == whole


@pytest.mark.parametrize("csi", [False, True])
def test_an_index_is_whole_or_the_run_is_told_which_is_not(csi, tmp_path):
    text = TextFile(tmp_path / "a.gz", bgzip=True)
    for record in range(100):
        for start in range(0, 400_000_000, 5_000_000):
            text.write_line(f"record{record}\t{start}\t{start + 1}\t0.5")
    text.close()
    index = TabixIndex(tmp_path / "index", csi=csi)
    write_tabix(tmp_path / "a.gz", index, skipped_lines=0)
    whole = index.path.read_bytes()
    for limit in limits(len(whole)):
        with no_file_longer_than(limit), pytest.raises(WriteError, match=f"cannot write {index.path}: "):
            write_tabix(tmp_path / "a.gz", index, skipped_lines=0)
    with no_file_longer_than(len(whole)):
        write_tabix(tmp_path / "a.gz", index, skipped_lines=0)
    assert index.path.read_bytes() == whole


def hits():
    return [
        Hit(chrom="chr1", start=at, end=at + 1, name="h", track="response", value=0.1, percentile=99.0, context="ACG")
        for at in range(3000)
    ]


def append(writer, rows):
    with finishing([writer]):
        writer.write(rows)


REGION = RegionRow("chr1", 0, 9, "a", "kept", None, 9, 0, 0, 0)
TABLES = {
    "hits.bed": lambda path: append(HitsBedWriter(path), hits()),
    "hits.tsv": lambda path: append(HitsTsvWriter(path), hits()),
    "regions.tsv": lambda path: write_regions_table(
        path, [RegionRow("chr1", 0, 9, "a", "kept", None, 9, 0, 0, 0)] * 2000
    ),
    "trace.tsv": lambda path: append(trace_table(path), [TraceRow("chr1", 3, 4, "A", "g", 12, 9, 0.1, 0.5)] * 2000),
    "chrom.sizes": lambda path: write_chrom_sizes(path, [("chr1", 5)] * 9000),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_whole_or_the_run_is_told_which_file_is_not(name, tmp_path):
    TABLES[name](tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    assert len(whole) > 50_000
    for limit in limits(len(whole)):
        (tmp_path / name).unlink()
        with no_file_longer_than(limit), pytest.raises(WriteError, match=rf"cannot write {tmp_path / name}: File too"):
            TABLES[name](tmp_path / name)
    with no_file_longer_than(len(whole)):
        TABLES[name](tmp_path / name)
    assert (tmp_path / name).read_bytes() == whole
