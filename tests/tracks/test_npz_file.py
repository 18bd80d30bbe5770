"""Arrays for motif tools, read back by numpy.load."""

import errno
import time
import zipfile

import numpy as np
import pytest

from pgf_cli.tracks.disk import WriteError
from pgf_cli.tracks.npz_file import write_npz


def reading(array):
    """``read`` of an array (N, 4, L)."""
    return lambda region, column, start, end: array[region, column, start:end]


def scores(shape, dtype=np.float32):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(dtype)


def write(path, array):
    write_npz(path, len(array), array.shape[2], array.dtype, reading(array))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(3, 4, 50), (1, 4, 1), (2, 4, 16), (0, 4, 7), (2, 4, 0)])
@pytest.mark.parametrize("block", [7, 16, 1000])
def test_numpy_reads_back_every_region_base_and_position(block, shape, dtype, tmp_path, monkeypatch):
    monkeypatch.setattr("pgf_cli.tracks.npz_file.BLOCK_VALUES", block)
    array = scores(shape, dtype)
    write(tmp_path / "a.npz", array)
    with np.load(tmp_path / "a.npz") as read:
        assert read.files == ["arr_0"]
        assert read["arr_0"].dtype == dtype
        np.testing.assert_array_equal(read["arr_0"], array)


def test_the_member_is_the_very_file_that_numpy_writes(tmp_path):
    array = scores((3, 4, 50))
    write(tmp_path / "ours.npz", array)
    np.save(tmp_path / "numpys.npy", array)
    with zipfile.ZipFile(tmp_path / "ours.npz") as archive:
        assert archive.testzip() is None
        assert archive.read("arr_0.npy") == (tmp_path / "numpys.npy").read_bytes()
        assert archive.comment == b"arr_0: regions x A, C, G, T x positions"


def test_a_read_that_compares_codes_writes_the_sequence_one_hot_with_zeros_at_n(tmp_path):
    codes = np.array([[0, 1, 2, 3, 4], [3, 3, 0, 4, 1]], dtype=np.uint8)
    write_npz(tmp_path / "ohe.npz", 2, 5, np.dtype(np.float32), lambda r, c, start, end: codes[r, start:end] == c)
    with np.load(tmp_path / "ohe.npz") as read:
        np.testing.assert_array_equal(read["arr_0"], np.eye(5, 4, dtype=np.float32)[codes].transpose(0, 2, 1))


def test_never_more_than_a_block_is_asked_for_and_in_the_file_s_order(tmp_path, monkeypatch):
    monkeypatch.setattr("pgf_cli.tracks.npz_file.BLOCK_VALUES", 10)
    asked = []

    def read(region, column, start, end):
        asked.append((region, column, start))
        assert 0 < end - start <= 10
        return np.zeros(end - start)

    write_npz(tmp_path / "a.npz", 2, 25, np.dtype(np.float32), read)
    assert asked == [(region, column, start) for region in range(2) for column in range(4) for start in (0, 10, 20)]


def test_the_same_values_give_the_same_bytes_whatever_the_time(tmp_path, monkeypatch):
    array = scores((2, 4, 30))
    write(tmp_path / "a.npz", array)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    monkeypatch.setattr("pgf_cli.tracks.npz_file.BLOCK_VALUES", 4)
    write(tmp_path / "b.npz", array)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("length", [3, 100_000])
def test_a_full_disk_is_one_line_naming_the_file(length, full_disk):
    with pytest.raises(WriteError, match=rf"cannot write {full_disk}: No space left.*--output") as caught:
        write(full_disk, scores((1, 4, length)))
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(WriteError, match=r"cannot write .*No such file"):
        write(tmp_path / "none" / "a.npz", scores((1, 4, 3)))


def test_what_cannot_be_read_is_not_blamed_on_the_file_written(tmp_path):
    def read(region, column, start, end):
        raise OSError(errno.EIO, "the spool is gone")

    with pytest.raises(OSError, match="the spool is gone") as caught:
        write_npz(tmp_path / "a.npz", 1, 5, np.dtype(np.float32), read)
    assert not isinstance(caught.value, WriteError)


@pytest.mark.parametrize("given", [1, 4, 6])
def test_a_read_of_another_length_is_refused_and_shifts_nothing(given, tmp_path):
    with pytest.raises(ValueError, match="reshape"):
        write_npz(tmp_path / "a.npz", 1, 5, np.dtype(np.float32), lambda *_: np.zeros(given))
