"""What can be known of outputs beforehand is refused beforehand; how they are put in place is test_output_set's."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from pgf_cli.tracks.staging import DiskSpaceError, OutputExistsError, OutputFolderError, check_outputs, make_folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def check(*finals, force=False, expected_bytes=0, to_make=None):
    check_outputs(finals, force=force, expected_bytes=expected_bytes, to_make=to_make)


def one_line(caught):
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_existing_file_is_refused_with_the_remedy_and_left_alone(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(OutputExistsError) as caught:
        check(tmp_path / "b", tmp_path / "a")
    message = one_line(caught)
    assert str(tmp_path / "a") in message
    assert "--force" in message
    check(tmp_path / "b", tmp_path / "a", force=True)
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_dangling_link_counts_as_existing_and_a_folder_is_never_replaced(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "nowhere")
    (tmp_path / "b").mkdir()
    with pytest.raises(OutputExistsError):
        check(tmp_path / "a")
    with pytest.raises(OutputExistsError, match="it is a folder"):
        check(tmp_path / "b", force=True)


def test_missing_folder_and_a_file_in_its_place_are_named(tmp_path):
    with pytest.raises(OutputFolderError) as caught:
        check(tmp_path / "nowhere" / "a")
    assert f"{tmp_path / 'nowhere'} does not exist; create it" in one_line(caught)
    (tmp_path / "file").touch()
    with pytest.raises(OutputFolderError, match="is a file"):
        check(tmp_path / "file" / "a")


def test_check_leaves_nothing_behind(tmp_path):
    check(tmp_path / "a", tmp_path / "b")
    assert names(tmp_path) == []


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_folder_that_refuses_files_is_found_by_trying(code, tmp_path, monkeypatch):
    # Permission bits say nothing to root and on read-only mounts, so the refusal itself is simulated.
    def refuse(path):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(OutputFolderError) as caught:
        check(tmp_path / "a")
    assert os.strerror(code) in one_line(caught)


def test_name_too_long_for_the_file_system_is_found_beforehand(tmp_path):
    with pytest.raises(OutputFolderError, match="File name too long"):
        check(tmp_path / ("n" * 250))


def test_too_little_space_is_said_before_computing(tmp_path):
    with pytest.raises(DiskSpaceError, match=r"will take about 1,000,000\.0 TB") as caught:
        check(tmp_path / "a", expected_bytes=10**18)
    one_line(caught)
    check(tmp_path / "a", expected_bytes=1000)


def test_a_folder_that_will_be_made_is_asked_for_where_it_will_be(tmp_path, monkeypatch):
    folder = tmp_path / "new" / "deep"
    check(folder / "a", to_make=folder)
    assert names(tmp_path) == []
    with pytest.raises(DiskSpaceError, match=str(tmp_path)):
        check(folder / "a", to_make=folder, expected_bytes=10**18)
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(OutputFolderError, match=r"cannot be made, for .* is not writable"):
        check(folder / "a", to_make=folder)
    monkeypatch.undo()
    make_folder(folder)
    make_folder(folder)
    (folder / "a").touch()
    with pytest.raises(OutputExistsError):
        check(folder / "a", to_make=folder)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputFolderError, match="is a file; remove it"):
        make_folder(tmp_path / "file")
    with pytest.raises(OutputFolderError, match=r"cannot be made \(Not a directory\)") as caught:
        make_folder(tmp_path / "file" / "deeper")
    one_line(caught)


def test_the_space_that_counts_is_that_of_each_folder_s_disk(tmp_path, monkeypatch):
    (tmp_path / "full").mkdir()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=5 if folder.name == "full" else 500))
    check(tmp_path / "a", expected_bytes=100)
    with pytest.raises(DiskSpaceError, match="full has 5 bytes free"):
        check(tmp_path / "a", tmp_path / "full" / "b", expected_bytes=100)
