"""Writes that the system cuts short, and limits on open files, both as the system itself makes them."""

import errno
import os
import resource
import subprocess
import sys
import tempfile
from contextlib import ExitStack

import pytest

from pgf_cli.tracks.disk import WriteError, read_at, translate_os_errors, write_at
from pgf_cli.tracks.outputs import OpenFilesError, check_open_files


@pytest.mark.parametrize("most", [1, 7, 1000])
def test_what_the_system_takes_in_pieces_is_written_whole(most, monkeypatch):
    pwrite, data = os.pwrite, os.urandom(100)
    monkeypatch.setattr(os, "pwrite", lambda file, left, offset: pwrite(file, left[:most], offset))
    with tempfile.TemporaryFile() as file:
        write_at(file.fileno(), data, 50)
        file.seek(0)
        assert file.read() == bytes(50) + data


@pytest.mark.parametrize("most", [1, 7, 1000])
def test_what_the_system_gives_in_pieces_is_read_whole(most, monkeypatch):
    pread, data = os.pread, os.urandom(100)
    monkeypatch.setattr(os, "pread", lambda file, size, offset: pread(file, min(size, most), offset))
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        assert read_at(file.fileno(), 60, 40) == data[40:]
        with pytest.raises(OSError, match="ends 1 bytes early"):
            read_at(file.fileno(), 61, 40)


def test_a_disk_that_is_full_in_the_middle_of_a_write_is_an_error_naming_the_file(tmp_path):
    # The kernel's own short write: up to the largest size a file may have, and EFBIG from there on.
    code = f"""
import os, resource, signal
from pathlib import Path
from pgf_cli.tracks.disk import WriteError, translate_os_errors, write_at
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
path = Path({str(tmp_path / "a")!r})
descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
assert os.pwrite(descriptor, bytes(4096), 4000) == 1000
try:
    with translate_os_errors(path):
        write_at(descriptor, bytes(4096), 4000)
except WriteError as error:
    print(error)
"""
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout
    assert f"cannot write {tmp_path / 'a'}: File too large; raise the size that a file may have (ulimit -f)" in shown


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space there"),
        (errno.EDQUOT, "free some space there"),
        (errno.EMFILE, "ulimit -n"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EACCES, "make it writable"),
        (errno.EROFS, "make it writable"),
        (errno.ENOENT, "mkdir -p"),
        (None, "free some space there"),
    ],
)
def test_the_remedy_is_that_of_the_cause(number, remedy, tmp_path):
    error = OSError("it failed") if number is None else OSError(number, os.strerror(number))
    with pytest.raises(WriteError) as caught, translate_os_errors(tmp_path / "a"):
        raise error
    assert str(caught.value).startswith(f"cannot write {tmp_path / 'a'}: ")
    assert remedy in str(caught.value)
    assert str(caught.value).endswith("or name another folder with --output.")


def test_only_errors_of_the_system_are_translated(tmp_path):
    with pytest.raises(ValueError, match="mine"), translate_os_errors(tmp_path):
        raise ValueError("mine")
    with pytest.raises(WriteError, match="cannot write"), translate_os_errors(tmp_path):
        raise OSError(28, "No space left on device")


@pytest.fixture
def limit():
    """Set the soft limit; the hard one stays, so that both can be put back."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield lambda soft: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_soft_limit_is_raised_as_far_as_needed(limit):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit(200)
    check_open_files(10)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (200, hard)
    check_open_files(190)
    with ExitStack() as files:
        for _ in range(190):
            files.enter_context(tempfile.TemporaryFile())
    soft, after = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft > 200
    assert after == hard


def test_a_hard_limit_is_refused_before_computing_with_both_numbers():
    code = """
import resource
from pgf_cli.tracks.outputs import OpenFilesError, check_open_files
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
check_open_files(4)
try:
    check_open_files(60)
except OpenFilesError as error:
    print(error)
"""
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout
    assert "holds 60 output files open" in shown
    assert "the limit is 64: raise it (ulimit -n), give fewer pulses" in shown


def test_no_machine_grants_ten_million_times_too_many(limit):
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] == resource.RLIM_INFINITY:
        pytest.skip("this system sets no limit")
    with pytest.raises(OpenFilesError, match="raise it"):
        check_open_files(10**12)
