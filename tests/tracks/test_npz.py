"""Hypothetical scores and sequence of regions, read back by numpy.load."""

import errno
import os
import re

import numpy as np
import pytest

from pgf_cli.errors import UsageError
from pgf_cli.tracks.disk import WriteError
from pgf_cli.tracks.npz import NpzWriter
from pgf_cli.tracks.registry import output_format
from pgf_cli.tracks.request import Span
from pgf_cli.tracks.tile import HYPOTHETICAL, NonFiniteScoreError, ScoredTile, finishing

LENGTH = 30
# Overlapping, one inside a tile, in no order, one twice, one that ends with its record.
REGIONS = [Span(*region) for region in [("b", 40, 70), ("a", 10, 40), ("b", 0, 30), ("a", 25, 55), ("a", 10, 40)]]
WRITTEN = [Span("a", 10, 55), Span("b", 0, 30), Span("b", 40, 70)]


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def scores(request):
    """Bases and hypothetical scores (4, L) of two records."""
    rng = np.random.default_rng(5)
    made = {}
    for contig, length in (("a", 90), ("b", 70)):
        bases = rng.integers(0, 5, length, dtype=np.uint8)
        made[contig] = bases, rng.normal(size=(4, length)).astype(request.param)
    return made


def tiles(scores, size):
    for contig, start, end in WRITTEN:
        bases, values = scores[contig]
        for at in range(start, end, size):
            here = slice(at, min(at + size, end))
            named = {name: values[column, here] for column, name in enumerate(HYPOTHETICAL)}
            yield ScoredTile(contig, at, bases[here], {"contribution": np.full(len(bases[here]), np.nan), **named})


def write(folder, scores, size=13, regions=REGIONS):
    dtype = scores["a"][1].dtype
    writer = NpzWriter(folder / "h.npz", folder / "o.npz", regions, dtype)
    with finishing([writer]):
        for tile in tiles(scores, size):
            writer.write(tile)
    return writer


def read(path):
    with np.load(path) as file:
        assert file.files == ["arr_0"]
        return file["arr_0"]


@pytest.mark.parametrize("size", [1, 13, 45, 1000])
def test_rows_are_the_regions_as_they_were_asked_for(size, scores, tmp_path):
    write(tmp_path, scores, size)
    expected = np.stack([scores[contig][1][:, start:end] for contig, start, end in REGIONS])
    read_back = read(tmp_path / "h.npz")
    assert read_back.dtype == expected.dtype
    np.testing.assert_array_equal(read_back, expected)
    one_hot = np.stack([np.eye(5, 4)[scores[contig][0][start:end]].T for contig, start, end in REGIONS])
    np.testing.assert_array_equal(read(tmp_path / "o.npz"), one_hot)
    assert read(tmp_path / "o.npz").dtype == expected.dtype
    assert sorted(path.name for path in tmp_path.iterdir()) == ["h.npz", "o.npz"]


@pytest.mark.parametrize("most", [1, 7])
def test_writes_and_reads_that_are_cut_short_lose_nothing(most, scores, tmp_path, monkeypatch):
    pwrite, pread = os.pwrite, os.pread
    monkeypatch.setattr(os, "pwrite", lambda file, data, offset: pwrite(file, data[:most], offset))
    monkeypatch.setattr(os, "pread", lambda file, size, offset: pread(file, min(size, most), offset))
    write(tmp_path, scores)
    expected = np.stack([scores[contig][1][:, start:end] for contig, start, end in REGIONS])
    np.testing.assert_array_equal(read(tmp_path / "h.npz"), expected)


def test_a_disk_that_fills_up_while_tiles_come_is_one_line_naming_the_file(scores, tmp_path, monkeypatch):
    def full(file, data, offset):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(WriteError, match=r"cannot write .*h\.npz: No space left"):
        write(tmp_path, scores)
    assert not list(tmp_path.iterdir())


def test_a_gap_in_a_region_is_an_error_and_not_zeros(scores, tmp_path):
    with pytest.raises(ValueError, match="119 of 120 positions"):
        write(tmp_path, scores, regions=[Span("a", 10, 40), Span("a", 25, 55), Span("b", 0, 30), Span("b", 39, 69)])


def test_a_score_that_is_no_number_is_named_and_one_at_n_is_none(scores, tmp_path):
    bases, values = scores["a"]
    bases[20], values[2, 20] = 4, np.inf
    write(tmp_path, scores)
    assert read(tmp_path / "h.npz")[1, 2, 10] == 0
    bases[20] = 1
    with pytest.raises(NonFiniteScoreError, match="hypothetical G at a:21 is inf"):
        write(tmp_path, scores)


@pytest.mark.parametrize(("factor", "warned"), [(1e-9, True), (1, False), (1e5, True)])
def test_scores_that_float16_cannot_hold_are_warned_of(factor, warned, scores, tmp_path):
    largest = max(abs(scores[contig][1][:, start:end]).max() for contig, start, end in REGIONS)
    scaled = {contig: (bases, values * values.dtype.type(factor)) for contig, (bases, values) in scores.items()}
    said = write(tmp_path, scaled).warnings()
    assert bool(said) == warned
    if warned:
        assert float(re.search(r"score is (\S+);", said[0])[1]) == pytest.approx(largest * factor, rel=1e-2)
        assert "float16" in said[0]


def test_what_does_not_fit_the_arrays_is_refused_before_computing(make_request):
    npz = output_format("npz")
    npz.check(make_request(regions=REGIONS))
    with pytest.raises(UsageError, match="regions of one length, and these have 30 to 31 bases"):
        npz.check(make_request(regions=[*REGIONS, Span("a", 0, 31)]))
