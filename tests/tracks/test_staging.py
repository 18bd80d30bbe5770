"""Outputs appear all together or not at all; what can be known beforehand is refused beforehand."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pgf_cli.tracks.disk import WriteError
from pgf_cli.tracks.staging import DiskSpaceError, OutputExistsError, OutputFolderError, StagedFiles, check_outputs


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def stage(folder, names, text, *, force=False, failure=None):
    with StagedFiles(force=force) as staged:
        for name in names:
            staged.add(folder / name).write_text(text)
        if failure:
            raise failure


def check(*finals, force=False, expected_bytes=0):
    check_outputs(finals, force=force, expected_bytes=expected_bytes)


def one_line(caught):
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_files_get_their_names_when_the_block_ends_and_not_before(tmp_path):
    with StagedFiles(force=False) as staged:
        for name in ("b.csv", "a.bed"):
            staged.add(tmp_path / name).write_text(name)
        assert names(tmp_path) == [f"a.bed.{os.getpid()}.partial", f"b.csv.{os.getpid()}.partial"]
    assert names(tmp_path) == ["a.bed", "b.csv"]
    assert (tmp_path / "a.bed").read_text() == "a.bed"


@pytest.mark.parametrize("force", [False, True])
def test_files_are_renamed_in_the_order_added(force, tmp_path, monkeypatch):
    order = []
    verb, owner = ("replace", Path) if force else ("link", os)
    rename = getattr(owner, verb)
    monkeypatch.setattr(owner, verb, lambda source, target: (order.append(target.name), rename(source, target)))
    with StagedFiles(force=force) as staged:
        for name in ("track", "hits", "manifest"):
            staged.add(tmp_path / name)
    assert order == ["track", "hits", "manifest"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_or_interrupt_leaves_nothing(failure, tmp_path):
    with pytest.raises(failure):
        stage(tmp_path, "ab", "half", failure=failure)
    assert names(tmp_path) == []


def test_an_interrupt_keeps_the_file_that_force_would_have_replaced(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        stage(tmp_path, "ab", "new", force=True, failure=KeyboardInterrupt)
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_force_replaces(tmp_path):
    (tmp_path / "a").write_text("old")
    check(tmp_path / "a", force=True)
    stage(tmp_path, "a", "new", force=True)
    assert (tmp_path / "a").read_text() == "new"


def test_existing_file_is_refused_with_the_remedy_and_left_alone(tmp_path):
    (tmp_path / "a").write_text("old")
    for refuse in (lambda: check(tmp_path / "b", tmp_path / "a"), lambda: StagedFiles(force=False).add(tmp_path / "a")):
        with pytest.raises(OutputExistsError) as caught:
            refuse()
        message = one_line(caught)
        assert str(tmp_path / "a") in message
        assert "--force" in message
    assert names(tmp_path) == ["a"]


def test_dangling_link_counts_as_existing_and_a_folder_is_never_replaced(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "nowhere")
    (tmp_path / "b").mkdir()
    with pytest.raises(OutputExistsError):
        check(tmp_path / "a")
    with pytest.raises(OutputExistsError, match="it is a folder"):
        check(tmp_path / "b", force=True)


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_a_file_that_appears_meanwhile_is_kept_and_this_runs_files_are_taken_back(links, tmp_path, monkeypatch):
    def no_links(source, target):
        raise OSError(errno.EOPNOTSUPP, "no links on this file system")

    link = os.link

    def link_after_someone_else(source, target):
        if target.name == "b":
            target.write_text("theirs")
        return (link if links else no_links)(source, target)

    monkeypatch.setattr(os, "link", link_after_someone_else)
    with pytest.raises(OutputExistsError, match="b exists already"):
        stage(tmp_path, "abc", "ours")
    assert names(tmp_path) == ["b"]
    assert (tmp_path / "b").read_text() == "theirs"


def test_file_systems_without_links_work(tmp_path, monkeypatch):
    def no_links(source, target):
        raise OSError(errno.EOPNOTSUPP, "no links on this file system")

    monkeypatch.setattr(os, "link", no_links)
    stage(tmp_path, "a", "ours")
    assert names(tmp_path) == ["a"]


WORKER = """
import sys
from pathlib import Path
from pgf_cli.tracks.staging import OutputExistsError, StagedFiles
folder = Path(sys.argv[1])
try:
    with StagedFiles(force=False) as staged:
        for name in ("track", "manifest"):
            staged.add(folder / name).write_text(sys.argv[2])
        print("staged", flush=True)
        sys.stdin.readline()
except OutputExistsError as error:
    print("refused", error)
else:
    print("done")
"""


def test_two_processes_on_one_prefix_end_with_one_complete_set(tmp_path):
    def start(mark):
        command = [sys.executable, "-c", WORKER, str(tmp_path), mark]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    with start("first") as first, start("second") as second:
        assert first.stdout.readline() == second.stdout.readline() == "staged\n"
        answers = [process.communicate("\n")[0] for process in (first, second)]
    assert answers[0] == "done\n"
    assert answers[1].startswith(f"refused {tmp_path / 'track'} exists already")
    assert names(tmp_path) == ["manifest", "track"]
    assert {(tmp_path / name).read_text() for name in names(tmp_path)} == {"first"}


def test_a_partial_file_of_another_process_with_our_number_is_not_touched(tmp_path):
    theirs = tmp_path / f"a.{os.getpid()}.partial"
    theirs.write_text("theirs")
    stage(tmp_path, "a", "ours")
    assert (tmp_path / "a").read_text() == "ours"
    assert theirs.read_text() == "theirs"


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
    def refuse(path, exist_ok):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(OutputFolderError) as caught:
        check(tmp_path / "a")
    assert os.strerror(code) in one_line(caught)
    with pytest.raises(WriteError, match="cannot write"):
        StagedFiles(force=False).add(tmp_path / "a")


def test_name_too_long_for_the_file_system_is_found_beforehand(tmp_path):
    with pytest.raises(OutputFolderError, match="File name too long"):
        check(tmp_path / ("n" * 250))


def test_too_little_space_is_said_before_computing(tmp_path):
    with pytest.raises(DiskSpaceError, match=r"will take about 1,000,000\.0 TB") as caught:
        check(tmp_path / "a", expected_bytes=10**18)
    one_line(caught)
    check(tmp_path / "a", expected_bytes=1000)
