"""A part: values on the disk, and a state that vouches for them or for nothing."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from pgf_cli.runs.groups import Interval, Layout
from pgf_cli.runs.parts import Part, Reached
from pgf_cli.tracks.disk import WriteError

LAYOUT = Layout([Interval(0, 100, 110), Interval(1, 0, 5)])
REACHED = Reached(member=1, position=3, finished=[{"total": 0.1 + 0.2}], sums={"total": -1e-300, "seconds": 2.5})
TENSORS = {"state.0": torch.arange(6.0, dtype=torch.float64).view(2, 3).T, "state.1": torch.tensor([1.5])}


def part(folder, receipt="ours", columns=("response", "ghost"), dtype=np.float32):
    return Part(folder, "000001.tangent.000000", list(columns), np.dtype(dtype), LAYOUT, receipt)


@pytest.fixture
def saved(tmp_path):
    """The folder of a part that was saved."""
    ours = part(tmp_path)
    ours.open()
    ours.write(0, 102, {"response": np.arange(4, dtype=np.float32), "ghost": -np.arange(4, dtype=np.float32)})
    ours.write(1, 0, {"ghost": np.full(5, 7, dtype=np.float32)})
    ours.save(REACHED, TENSORS)
    ours.close()
    return tmp_path


def test_what_was_saved_is_there_for_another_process(saved):
    again = part(saved)
    reached, tensors = again.load()
    assert reached == REACHED
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
    assert list(again.read("response", 0, 102, 106)) == [0, 1, 2, 3]
    assert list(again.read("ghost", 0, 103, 105)) == [-1, -2]
    assert list(again.read("ghost", 1, 0, 5)) == [7] * 5
    again.close()


def test_a_part_that_is_not_there_is_not_begun(tmp_path):
    assert part(tmp_path).load() == (Reached(), {})


@pytest.mark.parametrize(
    "other",
    [{"receipt": "theirs"}, {"columns": ("response",)}, {"dtype": np.float64}],
    ids=["receipt", "columns", "dtype"],
)
def test_a_part_of_something_else_is_not_there(saved, other):
    assert part(saved, **other).load() == (Reached(), {})


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def garble(path):
    path.write_bytes(b"\xff" * path.stat().st_size)


def swap_for_a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [cut, garble, os.unlink, swap_for_a_folder, lambda path: path.write_bytes(b"")])
def test_a_damaged_state_vouches_for_nothing(saved, damage):
    damage(saved / "000001.tangent.000000.state")
    assert part(saved).load() == (Reached(), {})


@pytest.mark.parametrize("damage", [cut, os.unlink])
def test_a_state_without_all_of_its_values_vouches_for_nothing(saved, damage):
    damage(saved / "000001.tangent.000000.values")
    assert part(saved).load() == (Reached(), {})


def test_the_values_are_on_the_disk_before_the_state_that_vouches_for_them(tmp_path, monkeypatch):
    ours = part(tmp_path)
    ours.open()
    ours.write(1, 0, {"ghost": np.full(5, 7, dtype=np.float32)})
    synced = []
    fsync = os.fsync

    def watched(descriptor):
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink().suffix, ours.load()[0]))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    ours.save(REACHED, {})
    ours.close()
    assert synced[0] == (".values", Reached())
    assert len(synced) > 1


def test_a_save_that_the_disk_refuses_leaves_the_state_before_it(saved, monkeypatch):
    ours = part(saved)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match="No space left"):
        ours.save(Reached(complete=True), {})
    monkeypatch.undo()
    ours.close()
    assert part(saved).load()[0] == REACHED
    assert sorted(path.suffix for path in saved.iterdir()) == [".state", ".values"]


def test_space_is_claimed_before_anything_is_computed(tmp_path, monkeypatch):
    ours = part(tmp_path)
    ours.open()
    ours.close()
    assert (tmp_path / "000001.tangent.000000.values").stat().st_size == 2 * 15 * 4

    def full(file, offset, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(WriteError, match="No space left"):
        part(tmp_path).open()
