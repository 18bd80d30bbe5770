"""Whatever an option is given: one line that names it and exit code 2, within a second of computing."""

import os
import subprocess
import sys
import time

import pytest

DIGITS = "9" * 5000
ABSURD = [
    *((flag, DIGITS) for flag in (
        "--threads", "--context", "--ghost-distance", "--hits", "--hit-distance", "--trace", "--seed", "--probe-depth",
        "--tile", "--segment", "--snapshot-budget", "--device", "--direction", "--objective", "--dtype", "--mode",
    )),
    ("--threads", "1000000"),
    ("--tile", "1000000000"),
    ("--hits", "-1"),
    ("--hit-distance", "1000001"),
    ("--snapshot-budget", "1e3"),
    ("--ghost-distance", "10000000001"),
    ("--device", "cuda:²"),
    ("--device", "cuda:٣"),
    ("--device", "cuda:00000"),
    ("--direction", "random:²"),
    ("--direction", "random:0"),
    ("--direction", "random:1025"),
    ("--objective", "logit:²"),
    ("--objective", "logit:-1"),
    ("--region", f"chr1:1-{DIGITS}"),
    ("--pulse", f"chr1:{DIGITS}"),
    ("--alphabet", "A=" + DIGITS),
    ("--model", "m" * 5000),
    ("--regions", "r" * 5000),
    ("--output", "o" * 181),
    ("--output", "ü" * 91),
    ("--output", ""),
    ("--output", "-"),
]  # fmt: skip


@pytest.fixture
def refusal(pgf, genome, checkpoint, tmp_path):
    def call(*arguments, toml="", **environment):
        if toml:
            (tmp_path / "run.toml").write_text(toml)
            arguments += ("--config", tmp_path / "run.toml")
        began = time.process_time()
        result = pgf("run", genome, "-m", checkpoint, "--dry-run", *arguments, **environment)
        assert time.process_time() - began < 1
        assert (result.exit_code, result.stdout) == (2, ""), result.output
        (line,) = result.stderr.splitlines()
        assert line.startswith("error: ")
        assert len(line) < 400
        return line

    return call


@pytest.mark.parametrize(("flag", "value"), ABSURD, ids=lambda value: str(value)[:20])
def test_on_the_command_line(refusal, flag, value):
    assert flag in refusal(flag, value)


@pytest.mark.parametrize("name", ["PGF_THREADS", "PGF_HITS", "PGF_DTYPE", "PGF_REGION", "PGF_BGZIP", "PGF_MODE"])
def test_in_the_environment(refusal, name):
    assert name in refusal(**{name: DIGITS})


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (f"threads = {DIGITS}", "is not TOML"),
        (f"threads = {'9' * 4000}", "threads is a number of more than 60 digits"),
        ("threads = 3.0", "threads is 3.0; it must be a whole number"),
        ("threads = nan", "threads is nan"),
        ("threads = true", "threads is true"),
        ("threads = 2024-01-01", "threads is 2024-01-01"),
        ("region = [['a']]", "region is a list"),
        ("region.a = 1", "region is a table"),
        (f"region = {'[' * 2000}{']' * 2000}", "nested too deeply"),
        ('regions = "a\\u0000b"', "regions is 'a\\x00b'; it must have no control characters"),
        ('model = "a\\u0000b"', "model is 'a\\x00b'"),
        ('output = "a\\u001bb"', "output is 'a\\x1bb'"),
        (f"{'q' * 5000} = 1", "is no option"),
        ("config = 'x'", "'config' is no option"),
        ("fasta = 'x'", "'fasta' is no option"),
        ("hit_distanse = 3", "did you mean hit-distance"),
    ],
    ids=lambda value: value[:20],
)
def test_in_toml(refusal, toml, said):
    # What TOML says is checked even where the command line beats it, as here with the model.
    assert said in refusal(toml=toml)


def test_a_config_that_is_a_fifo_is_refused_without_waiting(refusal, tmp_path):
    os.mkfifo(tmp_path / "fifo.toml")
    assert "not a regular file" in refusal("--config", tmp_path / "fifo.toml")


@pytest.mark.parametrize("arguments", [("--threads", DIGITS), ("--region", "chr1:1-" + DIGITS), ("--no-such-option",)])
def test_the_command_itself_ends_in_a_line(genome, checkpoint, arguments):
    command = [sys.executable, "-m", "pgf_cli", "run", genome, "-m", checkpoint, "--dry-run", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("verify", ("--bases", "1048577")),
        ("verify", ("--seed", DIGITS)),
        ("evaluate", ("g.fa", "--threads", "1025")),
        ("evaluate", ("g.fa", "--region", "a" * 5000)),
        ("inspect", ("m", "--tile", "0")),
        ("inspect", ("m", "--dtype", "float16")),
        ("train", ("g.fa", "--config", "c.toml", "-o", "x.pt", "--threads", "0")),
        ("bench", ("speed", "--channels", DIGITS)),
        ("bench", ("speed", "--time", "nan")),
        ("bench", ("length", "--seed", "-1")),
    ],
)
def test_other_commands_read_their_options_with_the_same_bounds(pgf, command, options):
    result = pgf(command, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert options[-2] in line
    assert len(line) < 400
