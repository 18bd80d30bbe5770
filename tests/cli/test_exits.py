"""From errors to exit codes: one line on stderr whatever goes wrong, a traceback only with -v."""

import errno
import json
import signal

import pytest
from stub import run_stub

from pgf_cli.cli.exits import NOTHING_DONE, ExitStatus, advising, complain, ending, outcome
from pgf_cli.errors import PgfError, UsageError, advise
from pgf_cli.interrupts import SIGNALS, Interrupted


class OutOfMemoryError(RuntimeError):
    """Named as torch's is."""


def _advised(line, advice):
    error = PgfError(line)
    advise(error, advice)
    return error


def of_system(number, *names):
    return OSError(number, "what the system says", *names)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (PgfError("g.fa: no record; name one"), 1, ["g.fa: no record; name one"]),
        (UsageError("give one of them"), 2, ["give one of them"]),
        (of_system(errno.EACCES, "a.fa"), 1, ["a.fa: what the system says"]),
        (of_system(errno.ENOSPC, "a.csv"), 1, ["a.csv: what the system says", "free some space"]),
        (of_system(errno.ENOSPC), 1, ["the system: what the system says", "free some space"]),
        (of_system(errno.EDQUOT, "a"), 1, ["quota"]),
        (of_system(errno.EMFILE, "a"), 1, ["ulimit -n"]),
        (of_system(errno.EFBIG, "a"), 1, ["ulimit -f"]),
        (of_system(errno.EXDEV, "a", None, "b\x1b"), 1, [r"a -> b\x1b: "]),
        (MemoryError(), 1, ["out of memory", "--tile"]),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 1, ["out of memory", "--tile"]),
        (OutOfMemoryError("CUDA out of memory"), 1, ["out of memory", "--tile"]),
        (RuntimeError("can't start new thread"), 1, ["threads", "--threads"]),
        (RecursionError("maximum recursion depth exceeded"), 1, ["nested too deeply"]),
        (KeyboardInterrupt(), 130, [f"interrupted; {NOTHING_DONE}"]),
        (Interrupted(signal.SIGTERM), 143, [f"interrupted by SIGTERM; {NOTHING_DONE}"]),
        (Interrupted(signal.SIGHUP, "go on with --resume"), 129, ["interrupted by SIGHUP; go on with --resume"]),
        (ValueError("3 is no 4"), 1, ["unexpected ValueError: 3 is no 4", "this is a bug"]),
        (RuntimeError("odd"), 1, ["unexpected RuntimeError: odd", "this is a bug"]),
    ],
)
def test_an_error_ends_in_one_line_and_its_code(capsys, error, status, said):
    assert ending(error, verbose=False) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    for words in said:
        assert words in err


def test_the_codes_are_those_of_the_documentation_and_of_a_shell():
    assert {status.name: int(status) for status in ExitStatus} == {
        "OK": 0, "FAILED": 1, "USAGE": 2, "CERTIFICATE": 3, "INTERRUPTED": 130, "TERMINATED": 143,
    }  # fmt: skip


@pytest.mark.parametrize("error", [PgfError("it failed."), OSError(5, "no"), MemoryError(), ValueError("a bug")])
def test_how_to_go_on_is_added_to_any_error(capsys, error):
    advise(error, "what is done is kept")
    advise(error, "not this: it was known better")
    ending(error, verbose=False)
    assert capsys.readouterr().err.endswith("; what is done is kept\n")


@pytest.mark.parametrize("cause", [OSError(errno.ENOSPC, "disk full", "x.part"), ValueError("disk full")])
def test_a_failure_while_stopping_is_told_and_nothing_is_promised(cause):
    with pytest.raises(Interrupted) as raised:
        raise Interrupted(signal.SIGTERM) from cause
    status, line = outcome(raised.value)
    assert status == 143
    assert line.startswith("interrupted by SIGTERM, and while it stopped: ")
    assert "disk full" in line
    assert NOTHING_DONE not in line
    advise(raised.value, "some parts are kept")
    assert outcome(raised.value)[1].endswith("; some parts are kept")


def test_what_is_said_first_of_an_interruption_stays_unless_it_is_overruled():
    with pytest.raises(Interrupted) as raised, advising("outer"), advising("inner"):
        raise Interrupted(signal.SIGINT)
    assert raised.value.advice == "inner"
    with pytest.raises(Interrupted) as raised, advising("outer", overruling=True), advising("inner"):
        raise KeyboardInterrupt
    assert raised.value.advice == "outer"
    with pytest.raises(PgfError) as failed, advising("outer", overruling=True):
        raise _advised("it failed", "inner")
    assert failed.value.advice == "outer"
    with pytest.raises(PgfError) as failed, advising("only of interruptions"):
        raise PgfError("it failed")
    assert failed.value.advice is None


def test_a_message_of_many_lines_or_megabytes_is_one_line_of_bounded_length(capsys):
    complain("begin\n  second\r\nthird" + "x" * 1_000_000 + "end\n")
    said = capsys.readouterr().err
    assert said.startswith("error: begin second third")
    assert said.endswith("xend\n")
    assert said.count("\n") == 1
    assert len(said) < 2100


def test_nesting_too_deep_for_python_is_one_line(capsys):
    with pytest.raises(RecursionError) as raised:
        json.loads("[" * 1_000_000)
    assert ending(raised.value, verbose=False) == 1
    assert "nested too deeply" in capsys.readouterr().err


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_process_with_a_line_and_its_code(number):
    result = run_stub(f"os.kill(os.getpid(), {int(number)}); show_line('not reached')")
    assert (result.returncode, result.stdout) == (128 + number, "")
    assert result.stderr == f"error: interrupted by {number.name}; {NOTHING_DONE}\n"


def test_a_signal_while_the_finished_process_ends_changes_nothing():
    body = "import atexit\natexit.register(os.kill, os.getpid(), signal.SIGTERM)\nshow_line('done')"
    result = run_stub(body)
    assert (result.returncode, result.stdout, result.stderr) == (0, "done\n", "")


@pytest.mark.parametrize("body", ["raise ValueError('odd')", "raise PgfError('odd')", "raise MemoryError('odd')"])
def test_a_traceback_only_with_v_and_without_control_characters(body):
    result = run_stub(body)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    shown = run_stub(body.replace("odd", "odd\\x1b[2J"), "-v")
    assert shown.returncode == 1
    assert shown.stderr.startswith("Traceback (most recent call last):\n")
    assert shown.stderr.splitlines()[-1].startswith("error: ")
    assert "\x1b" not in shown.stderr


def test_an_unknown_option_is_wrong_usage_in_one_line():
    result = run_stub("pass", "--wrong\x1b[2J")
    assert result.returncode == 2
    assert result.stderr.startswith("error: No such option: --wrong\\x1b[2J")
    assert result.stderr.count("\n") == 1
