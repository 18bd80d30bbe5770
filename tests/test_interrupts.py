"""Signals: real ones, sent to this process and to a child."""
# ruff: noqa: PT012  (what is reached inside the block is what is tested)

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pgf_cli import interrupts
from pgf_cli.interrupts import SIGNALS, Interrupted, deferred, held, raise_pending
from pgf_cli.tracks.staging import check_outputs


def send(number=signal.SIGTERM):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.usefixtures("installed")
def test_every_signal_is_raised_with_the_code_that_a_shell_gives(number):
    with pytest.raises(Interrupted) as raised:
        send(number)
    assert raised.value.signum == number
    assert raised.value.exit_code == 128 + number
    assert raised.value.advice is None
    assert str(raised.value) == number.name


def test_ctrl_c_and_termination_have_the_codes_of_the_command_line():
    assert (Interrupted(signal.SIGINT).exit_code, Interrupted(signal.SIGTERM).exit_code) == (130, 143)
    assert isinstance(Interrupted(signal.SIGINT), KeyboardInterrupt)


@pytest.mark.usefixtures("installed")
def test_a_deferred_signal_sets_the_flag_and_is_raised_when_the_block_ends():
    seen = []
    with pytest.raises(Interrupted) as raised, deferred() as stop_asked:
        seen.append(stop_asked())
        send(signal.SIGUSR1)
        seen.append(stop_asked())
    assert seen == [False, True]
    assert raised.value.signum == signal.SIGUSR1
    with deferred() as stop_asked:
        assert not stop_asked()


@pytest.mark.usefixtures("installed")
def test_raise_pending_raises_once_and_carries_the_advice():
    reached = []
    with pytest.raises(Interrupted) as raised, deferred() as stop_asked:
        raise_pending()
        send()
        reached.append(stop_asked())
        raise_pending("go on with --resume")
        reached.append("not here")
    assert reached == [True]
    assert (raised.value.signum, raised.value.advice) == (signal.SIGTERM, "go on with --resume")
    raise_pending()


@pytest.mark.usefixtures("installed")
def test_a_second_signal_is_raised_at_once_and_afterwards_nothing_is_put_off():
    reached = []
    with pytest.raises(Interrupted) as raised, deferred():
        send(signal.SIGTERM)
        reached.append("after the first")
        send(signal.SIGINT)
        reached.append("after the second")
    assert reached == ["after the first"]
    assert raised.value.signum == signal.SIGINT
    with pytest.raises(Interrupted):
        send()


@pytest.mark.usefixtures("installed")
def test_signals_so_close_that_they_are_one_request_do_not_break_in(monkeypatch):
    monkeypatch.setattr(interrupts, "SAME_REQUEST_SECONDS", 0.3)
    reached = []
    with pytest.raises(Interrupted) as raised, deferred():
        send(signal.SIGTERM)
        send(signal.SIGTERM)
        reached.append("after both")
        time.sleep(0.35)
        send(signal.SIGINT)
        reached.append("after the third")
    assert reached == ["after both"]
    assert raised.value.signum == signal.SIGINT


@pytest.mark.usefixtures("installed")
def test_nested_deferrals_are_raised_by_the_outermost():
    reached = []
    with pytest.raises(Interrupted), deferred() as outer:
        with deferred() as inner:
            send()
            reached.append(inner())
        reached.append(outer())
    assert reached == [True, True]


@pytest.mark.usefixtures("installed")
def test_an_error_that_leaves_the_block_becomes_the_cause():
    with pytest.raises(Interrupted) as raised, deferred():
        send()
        raise OSError("disk full")
    assert str(raised.value.__cause__) == "disk full"


@pytest.mark.usefixtures("installed")
def test_nothing_breaks_into_a_held_block_and_the_first_signal_is_raised_after_it():
    reached = []
    with pytest.raises(Interrupted) as raised, held():
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            send(number)
        raise_pending()
        with held():
            send()
        with deferred() as stop_asked:
            reached.append(stop_asked())
        reached.append("end")
    assert reached == [True, "end"]
    assert raised.value.signum == signal.SIGTERM


@pytest.mark.usefixtures("installed")
def test_held_in_deferred_leaves_one_signal_put_off_and_raises_after_two():
    reached = []
    with pytest.raises(Interrupted), deferred() as stop_asked:
        with held():
            send()
        reached.append(stop_asked())
    with pytest.raises(Interrupted), deferred():
        with held():
            send()
            send()
            reached.append("held")
        reached.append("not here")
    assert reached == [True, "held"]


@pytest.mark.usefixtures("installed")
def test_processor_time_that_is_used_up_is_told_once():
    reached = []
    with pytest.raises(Interrupted) as raised, deferred():
        for _ in range(3):
            send(signal.SIGXCPU)  # as the kernel does every second
        reached.append("still here")
    assert reached == ["still here"]
    assert raised.value.signum == signal.SIGXCPU


@pytest.mark.usefixtures("installed")
def test_other_threads_put_nothing_off():
    began, done = threading.Event(), threading.Event()

    def work():
        with deferred():
            began.set()
            done.wait(10)

    worker = threading.Thread(target=work)
    worker.start()
    began.wait(10)
    try:
        with pytest.raises(Interrupted):
            send()
    finally:
        done.set()
        worker.join()


def test_without_handlers_ctrl_c_is_python_s_own():
    seen = []
    with pytest.raises(KeyboardInterrupt) as raised, deferred() as stop_asked, held():
        seen.append(stop_asked())
        send(signal.SIGINT)
        seen.append("not here")
    assert type(raised.value) is KeyboardInterrupt
    assert seen == [False]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_was_ignored_at_the_start_stays_ignored(number):
    code = "import os, sys; from pgf_cli.interrupts import install; install(); os.kill(os.getpid(), int(sys.argv[1]))"
    ignoring = f"trap '' {number.name.removeprefix('SIG')}; exec \"$@\""
    command = ["sh", "-c", ignoring, "sh", sys.executable, "-c", f"{code}; print('lived')", str(int(number))]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "lived\n")


STORM = """
import os
from pgf_cli import interrupts
interrupts.SAME_REQUEST_SECONDS = 0.0
interrupts.install()
raised = 0
while raised < 300:
    try:
        os.write(1, b"%d\\n" % raised)  # the next one may come from here on
        with interrupts.deferred() as stop_asked, interrupts.held():
            while not stop_asked():
                pass
        os.write(1, b"lost\\n")
    except interrupts.Interrupted as error:
        raised += error.signum == 10
os.write(1, b"all\\n")
"""


def test_no_signal_is_lost_between_the_blocks():
    """Each of 300 signals, at whatever instruction it arrives, is raised once: the child answers every one."""
    command = [sys.executable, "-c", STORM]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for count in range(300):
            assert child.stdout.readline() == f"{count}\n"
            time.sleep((count % 7) * 1e-5)
            child.send_signal(signal.SIGUSR1)
        assert child.stdout.readline() == "all\n"
    assert child.returncode == 0


@pytest.mark.usefixtures("installed")
def test_a_signal_while_outputs_are_tried_leaves_none_of_them(tmp_path, monkeypatch):
    touch = Path.touch

    def touch_and_be_stopped(path):
        touch(path)
        send()

    monkeypatch.setattr(Path, "touch", touch_and_be_stopped)
    with pytest.raises(Interrupted):
        check_outputs([tmp_path / "a", tmp_path / "b"], force=False, expected_bytes=0)
    assert not list(tmp_path.iterdir())
