"""Files that can be read only once, and what is said of what was read."""

import gzip
import hashlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pgf_cli.genome import BedError, Region, lines, read_bed, read_pulses, select
from pgf_cli.genome.lines import LineReader

LENGTHS = {"chr01": 100_000}
# Sixteen bytes a row, so that a lost buffer would end on a row's end.
ROWS = "".join(f"chr01\t{1000 + 8 * row}\t{1003 + 8 * row}\n" for row in range(1000)).encode()
REGIONS = [Region("chr01", 1000 + 8 * row, 1003 + 8 * row) for row in range(1000)]


@pytest.fixture
def fed(tmp_path):
    """Return a pipe into which a thread writes."""
    threads = []

    def feed(content, pause=0.0):
        path = tmp_path / "pipe"
        os.mkfifo(path)

        def write():
            time.sleep(pause)
            with path.open("wb", buffering=0) as pipe:
                for at in range(0, len(content), 1000):
                    pipe.write(content[at : at + 1000])
                    time.sleep(pause / 10)

        threads.append(threading.Thread(target=write))
        threads[-1].start()
        return path

    yield feed
    for thread in threads:
        thread.join(10)


@pytest.mark.parametrize("content", [ROWS, gzip.compress(ROWS)], ids=["plain", "gzip"])
@pytest.mark.parametrize("pause", [0.0, 0.1])
def test_a_pipe_gives_every_row_and_the_hash_of_its_bytes(fed, content, pause):
    inputs = []
    path = fed(content, pause)
    assert [row.region for row in read_bed(path, LENGTHS, inputs)] == REGIONS
    (file,) = inputs
    assert (file.path, file.bytes, file.sha256) == (path, len(content), hashlib.sha256(content).hexdigest())
    assert not file.changed()


def test_standard_input_gives_every_row():
    program = (
        "from pathlib import Path; from pgf_cli.genome import read_bed\n"
        "print(len(read_bed(Path('-'), {'chr01': 100_000})))"
    )
    done = subprocess.run([sys.executable, "-c", program], input=ROWS, capture_output=True, check=True)
    assert done.stdout == b"1000\n"


def test_a_closed_standard_input_is_one_line():
    program = (
        "import sys; from pathlib import Path; from pgf_cli.genome import BedError, read_bed\n"
        "try: read_bed(Path('-'), {})\nexcept BedError as error: print(error)"
    )
    done = subprocess.run(["sh", "-c", '"$0" -c "$1" <&-', sys.executable, program], capture_output=True, check=True)
    assert done.stdout.startswith(b"- cannot be read (standard input is closed)")


def test_a_pipe_that_nobody_writes_to_is_not_waited_for_long(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "PATIENCE_SECONDS", 0.1)
    os.mkfifo(tmp_path / "pipe")
    started = time.monotonic()
    assert read_bed(tmp_path / "pipe", LENGTHS) == []
    assert time.monotonic() - started < 5


def test_a_writer_that_thinks_for_longer_than_that_is_waited_for(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write():
        with path.open("wb", buffering=0) as pipe:
            time.sleep(1.5 * lines.PATIENCE_SECONDS)
            pipe.write(b"chr01\t0\t5\n")

    thread = threading.Thread(target=write)
    thread.start()
    assert len(read_bed(path, LENGTHS)) == 1
    thread.join(10)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_file_is_vouched_for_by_what_was_read_and_a_change_is_noticed(tmp_path, compress):
    path = tmp_path / "regions.bed"
    path.write_bytes(compress(ROWS))
    selection = select(LENGTHS, bed=path)
    (file,) = selection.inputs
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert file.bytes == path.stat().st_size
    assert not file.changed()
    later = tmp_path / "later.bed"
    later.write_bytes(compress(ROWS))
    later.replace(path)
    assert file.changed()
    path.unlink()
    assert file.changed()


def test_pulses_come_from_a_pipe_as_well(fed):
    inputs = []
    assert len(read_pulses(fed(ROWS), LENGTHS, inputs)) == 3000
    assert [file.sha256 for file in inputs] == [hashlib.sha256(ROWS).hexdigest()]


def test_a_folder_and_an_impossible_path_are_refused(tmp_path):
    with pytest.raises(BedError, match="cannot be read"):
        read_bed(tmp_path, LENGTHS)
    with pytest.raises(BedError, match="is no path of a file") as error:
        read_bed(Path("a\0b"), LENGTHS)
    assert str(error.value).isprintable()


def test_what_was_read_is_unknown_before_it_was(tmp_path):
    with pytest.raises(ValueError, match="has not been read yet"):
        LineReader(tmp_path / "x", "a BED file", BedError).file  # noqa: B018
