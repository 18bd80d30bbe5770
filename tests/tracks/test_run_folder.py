"""One process at a time holds a prefix, and what a dead one left is neither lost nor taken for something else's."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from pgf_cli.interrupts import Interrupted
from pgf_cli.tracks.folder import LOCK, RunFolder, RunningError, parts_folder
from pgf_cli.tracks.staging import OutputFolderError

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from pgf_cli.tracks.folder import RunFolder
with RunFolder.hold(Path(sys.argv[1])) as folder:
    (folder.path / "000000.tangent.values").write_text("work")
    print("held", flush=True)
    time.sleep(600)
"""
COUNTER = """
import sys
from pathlib import Path
from pgf_cli.tracks.folder import RunFolder, RunningError
prefix, count, held = Path(sys.argv[1]), Path(sys.argv[2]), 0
while held < 100:
    try:
        with RunFolder.hold(prefix) as folder:
            seen = int(count.read_text())
            (folder.path / "part").write_text("work")
            count.write_text(str(seen + 1))
            held += 1
    except RunningError:
        pass
"""


def program(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def take(prefix):
    with RunFolder.hold(prefix):
        pass


def test_a_second_run_on_the_prefix_is_refused_until_the_first_is_dead_however_it_died(tmp_path):
    with program(HOLDER, tmp_path / "x") as holder:
        try:
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(RunningError, match=rf"another run is writing to {tmp_path / 'x'} now") as caught:
                take(tmp_path / "x")
            assert "\n" not in str(caught.value)
            assert parts_folder(tmp_path / "x").joinpath("000000.tangent.values").exists()
            # Another prefix in the same folder is free.
            with RunFolder.hold(tmp_path / "y"):
                pass
        finally:
            holder.send_signal(signal.SIGKILL)
    with RunFolder.hold(tmp_path / "x") as folder:
        assert folder.kept
        assert (folder.path / "000000.tangent.values").read_text() == "work"


def test_of_many_that_hold_and_let_go_no_two_are_ever_inside_together(tmp_path):
    # What each reads, adds one to and writes would miss turns if two were inside.
    count = tmp_path / "count"
    count.write_text("0")
    with ExitStack() as counters:
        running = [counters.enter_context(program(COUNTER, tmp_path / "x", count)) for _ in range(3)]
        assert [counter.wait(timeout=300) for counter in running] == [0, 0, 0]
    assert count.read_text() == "300"
    assert not parts_folder(tmp_path / "x").exists()


def test_the_folder_goes_with_the_block_unless_it_is_kept(tmp_path):
    with RunFolder.hold(tmp_path / "x") as folder:
        assert not folder.kept
        (folder.path / "part").write_text("")
        (folder.path / "inner").mkdir()
        (folder.path / "inner" / "part").write_text("")
    assert list(tmp_path.iterdir()) == []
    with RunFolder.hold(tmp_path / "x") as folder:
        (folder.path / "part").write_text("")
        folder.kept = True
    assert {path.name for path in (tmp_path / "x.parts").iterdir()} == {LOCK, "part"}


@pytest.mark.usefixtures("installed")
def test_a_signal_at_any_moment_of_taking_it_leaves_no_folder_that_nobody_holds(tmp_path, monkeypatch):
    # One at each call of the system that taking it and letting go of it make, before it and after it.
    moments, signalled_at = 0, 0

    def moment():
        nonlocal moments
        moments += 1
        if moments == signalled_at:
            os.kill(os.getpid(), signal.SIGTERM)

    def watched(call):
        def calling(*arguments, **options):
            moment()
            try:
                return call(*arguments, **options)
            finally:
                moment()

        return calling

    for module, name in ((os, "mkdir"), (os, "open"), (fcntl, "flock"), (os, "unlink"), (os, "close"), (os, "rmdir")):
        monkeypatch.setattr(module, name, watched(getattr(module, name)))
    while moments >= signalled_at:
        moments, signalled_at = 0, signalled_at + 1
        with suppress(Interrupted):
            take(tmp_path / "x")
        assert list(tmp_path.iterdir()) == [], signalled_at
    assert signalled_at > 2 * 6


def test_what_a_dead_run_left_outlives_an_error_of_the_next(tmp_path):
    with RunFolder.hold(tmp_path / "x") as folder:
        (folder.path / "part").write_text("ten hours")
        folder.kept = True
    with pytest.raises(KeyboardInterrupt), RunFolder.hold(tmp_path / "x"):
        raise KeyboardInterrupt
    with RunFolder.hold(tmp_path / "x") as folder:
        assert (folder.path / "part").read_text() == "ten hours"
        # Who clears it wants none of it.
        folder.clear()
        assert not folder.kept
    assert list(tmp_path.iterdir()) == []


def test_what_is_named_is_not_cleared_and_a_link_goes_without_what_it_leads_to(tmp_path):
    (tmp_path / "treasure").mkdir()
    (tmp_path / "treasure" / "gold").write_text("")
    with RunFolder.hold(tmp_path / "x") as folder:
        for name in ("a", "b"):
            (folder.path / name).write_text("")
        (folder.path / "link").symlink_to(tmp_path / "treasure")
        folder.clear(but=["a"])
        assert {path.name for path in folder.path.iterdir()} == {LOCK, "a"}
    assert (tmp_path / "treasure" / "gold").exists()


@pytest.mark.parametrize("inside", ["part1.fa", "lock", "key.json"])
def test_another_folder_of_that_name_is_refused_and_keeps_all_it_has(inside, tmp_path):
    # The default prefix is the FASTA's stem: genome.parts may be somebody's.
    (tmp_path / "genome.parts").mkdir()
    (tmp_path / "genome.parts" / inside).write_text("mine")
    with pytest.raises(OutputFolderError, match=r"another folder called genome\.parts, which is no unfinished run's"):
        take(tmp_path / "genome")
    assert [path.name for path in (tmp_path / "genome.parts").iterdir()] == [inside]


def test_an_empty_folder_is_what_a_run_left_that_died_before_it_could_lock(tmp_path):
    (tmp_path / "x.parts").mkdir()
    with RunFolder.hold(tmp_path / "x"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda parts: parts.write_text(""), "has another file called x.parts; move it away"),
        (lambda parts: parts.symlink_to("nowhere"), "has another file called x.parts; move it away"),
        (lambda parts: (parts.mkdir(), (parts / LOCK).mkdir()), "Is a directory"),
    ],
)
def test_what_stands_in_the_way_is_one_line(make, said, tmp_path):
    make(tmp_path / "x.parts")
    with pytest.raises(OSError, match=said) as caught:
        take(tmp_path / "x")
    assert "\n" not in str(caught.value)
    assert "--output" in str(caught.value)


def test_a_missing_folder_and_a_name_too_long_are_one_line(tmp_path):
    with pytest.raises(OutputFolderError, match="does not exist; create it"):
        take(tmp_path / "none" / "x")
    with pytest.raises(OSError, match="File name too long; choose a shorter one"):
        take(tmp_path / ("x" * 250))


def test_a_folder_that_refuses_is_one_line(tmp_path, monkeypatch):
    def refusing(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "mkdir", refusing)
    with pytest.raises(OutputFolderError, match=r"cannot take x\.parts \(Permission denied\); make it writable"):
        take(tmp_path / "x")


def test_parts_on_another_disk_could_not_be_renamed_into_place(tmp_path):
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other disk here")
    (tmp_path / "x.parts").symlink_to(elsewhere)
    with pytest.raises(OutputFolderError, match=r"has x\.parts on another disk; move it away"):
        take(tmp_path / "x")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_where_there_are_no_locks_a_run_goes_on_without(number, tmp_path, monkeypatch):
    def none_here(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", none_here)
    with RunFolder.hold(tmp_path / "x") as folder:
        assert folder.path.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_fails_leaves_no_open_file(tmp_path, monkeypatch):
    def failing(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", failing)
    before = len(list(Path("/dev/fd").iterdir()))
    with pytest.raises(OSError, match="Input/output error"):
        take(tmp_path / "x")
    assert len(list(Path("/dev/fd").iterdir())) == before
