"""Standard streams that are closed, full, broken, slow or of another encoding stop no work and hide no failure."""

import os
import subprocess
import sys
import time

import pytest
from stub import run_stub, stub_command

WORK = """
with open("result", "w", encoding="utf-8") as file:
    for number in range(2000):
        say(f"message {number}: " + "." * 80)
        show_line(f"line {number}: " + "." * 80)
    os.write(1, b"from a library") if os.environ.get("LIBRARY") else None
    os.write(2, b"from a library") if os.environ.get("LIBRARY") else None
    file.write("complete")
"""


@pytest.mark.parametrize("through", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_as_the_null_device(tmp_path, through):
    """And no file that is opened later takes their place: what a library writes there goes nowhere."""
    result = run_stub(WORK, through=through, folder=tmp_path, LIBRARY="yes")
    assert result.returncode == 0
    assert (tmp_path / "result").read_text() == "complete"
    assert ("line 1999" in result.stdout) == (">&-" not in through.replace("2>&-", ""))
    assert ("message 1999" in result.stderr) == ("2>&-" not in through)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_goes_away_stops_neither_the_work_nor_its_success(tmp_path, stream):
    reading, writing = os.pipe()
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: writing}
    with subprocess.Popen(stub_command(WORK), cwd=tmp_path, **streams) as process:
        os.close(writing)
        os.read(reading, 10)
        os.close(reading)
    assert process.returncode == 0
    assert (tmp_path / "result").read_text() == "complete"


def test_a_full_standard_output_is_a_failure_and_says_so(tmp_path):
    result = run_stub(WORK, through=">/dev/full", folder=tmp_path)
    assert result.returncode == 1
    assert "standard output cannot be written (No space left on device)" in result.stderr.splitlines()[-1]
    assert (tmp_path / "result").read_text() == "complete"


@pytest.mark.parametrize("page", ["show_json('{}')", "show(lambda console: console.print('page'))"])
def test_pages_and_json_that_do_not_arrive_are_failures_too(page):
    result = run_stub(page, through=">/dev/full")
    assert result.returncode == 1
    assert "standard output cannot be written" in result.stderr


@pytest.mark.parametrize(("code", "status"), [(3, 3), (1, 1), (0, 1)])
def test_a_full_standard_output_hides_no_other_failure(code, status):
    result = run_stub(f"show_line('page')\nraise SystemExit({code})", through=">/dev/full")
    assert result.returncode == status


def test_a_full_standard_error_stops_nothing(tmp_path):
    result = run_stub(WORK, through="2>/dev/full", folder=tmp_path)
    assert result.returncode == 0
    assert (tmp_path / "result").read_text() == "complete"
    assert "line 1999" in result.stdout


def test_a_slow_reader_of_a_stream_that_does_not_block_gets_everything():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    command = stub_command("for number in range(20_000): show_line(f'line {number}')")
    with subprocess.Popen(command, stdout=writing) as process:
        os.close(writing)
        time.sleep(1.0)
        with os.fdopen(reading, "rb") as file:
            lines = file.read().splitlines()
    assert process.returncode == 0
    assert lines == [b"line %d" % number for number in range(20_000)]


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", r"\xfc \u2581"), ("latin-1", "ü \\u2581"), ("utf-8", "ü ▁")])
def test_what_an_encoding_lacks_is_escaped(encoding, shown):
    body = "show_line('ü ▁')\nsay('ü ▁')\nshow(lambda console: console.print('ü ▁'))"
    process = subprocess.run(
        stub_command(body), capture_output=True, check=False, env={**os.environ, "PYTHONIOENCODING": encoding}
    )
    assert process.returncode == 0
    assert process.stdout.decode(encoding) == f"{shown}\n{shown}\n"
    assert process.stderr.decode(encoding) == f"{shown}\n"


def test_a_file_name_that_is_not_utf8_is_shown_escaped(tmp_path):
    body = "name = os.listdir('.')[0]\nshow_line(name)\nshow(lambda console: console.print(name))\nopen(name + '/x')"
    (tmp_path / os.fsdecode(b"caf\xe9.fa")).touch()
    result = run_stub(body, folder=tmp_path, PYTHONUTF8="1")
    assert result.stdout == "caf\\xe9.fa\ncaf\\xe9.fa\n"
    assert result.stderr == "error: caf\\xe9.fa/x: Not a directory\n"
    assert result.returncode == 1


RUN = [sys.executable, "-m", "pgf_cli", "run"]


def test_a_run_whose_streams_are_gone_writes_its_files(genome, checkpoint, tmp_path):
    """Standard output closed, and nobody left who reads the messages."""
    reading, writing = os.pipe()
    os.close(reading)
    options = ["-m", checkpoint, "--mode", "tangent", "-o", tmp_path / "out", "--threads", "1"]
    with subprocess.Popen(["bash", "-c", 'exec "$@" >&-', "bash", *RUN, genome, *options], stderr=writing) as process:
        os.close(writing)
    assert process.returncode == 0
    assert (tmp_path / "out.run.json").exists()
    assert (tmp_path / "out.response.bedgraph").stat().st_size
