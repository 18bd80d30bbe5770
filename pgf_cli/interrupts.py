"""Signals that ask a run to stop: raised as ``Interrupted``, and only where that does no harm."""

import math
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType

from pgf_cli.errors import Advised

SIGNALS = tuple(
    number
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
    if (number := getattr(signal, name, None)) is not None
)
"""Ctrl-C; a scheduler's end, its warnings before that (USR1, USR2, XCPU); the terminal's end."""

SAME_REQUEST_SECONDS = 0.5
"""Signals so close are one request: ``timeout`` and job schedulers signal a process and then its whole group."""


class Interrupted(Advised, KeyboardInterrupt):
    """A signal asked to stop.

    Args:
        signum: the signal.
        advice: how to go on, if that is known where this is raised; otherwise whoever passes it on may set it.
    """

    def __init__(self, signum: int, advice: str | None = None) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum, self.advice = signum, advice

    @property
    def exit_code(self) -> int:
        """What a shell reports of a process that the signal ended: 130 for Ctrl-C, 143 for a termination."""
        return 128 + self.signum


class _State:
    """What the handler and the blocks below share; only the main thread changes it."""

    installed = False
    deferrals = 0
    holds = 0
    pending: int | None = None
    """The first signal that a block has put off."""
    urgent = False
    """Whether a second one came while signals were held."""
    last = -math.inf


_state = _State()


def install() -> None:
    """Raise ``Interrupted`` in the main thread at every one of ``SIGNALS`` that was not ignored from the start.

    For the command line alone: a notebook's signals are its own. What ``nohup`` or a script's ``&`` ignores stays
    ignored.
    """
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _handle)
    _state.__dict__.clear()
    _state.installed = True


def ignore() -> None:
    """Ignore the signals that are handled: the work is over, its exit code is known and the process is ending."""
    for number in SIGNALS:
        if signal.getsignal(number) is _handle:
            signal.signal(number, signal.SIG_IGN)


def deferred() -> "_Deferred":
    """Return a block in which the first signal only sets a flag; a second one is raised at once.

    The block is given a function that says whether a stop was asked for: poll it where work can be left, save, and
    call ``raise_pending`` or leave the block, which raises what is pending. An error that leaves the block meanwhile
    becomes the cause of the ``Interrupted``. Blocks nest: the outermost raises. In a thread other than the main one
    nothing is put off, and where ``install`` was not called neither, so that the flag is never set.
    """
    return _Deferred()


def held() -> "_Held":
    """Return a block that no signal breaks into: what arrives inside is raised when it ends.

    Inside ``deferred`` a single signal stays put off until that block ends.
    """
    return _Held()


def raise_pending(advice: str | None = None) -> None:
    """Raise the signal that was put off, if there is one and nothing holds it.

    Args:
        advice: how to go on, for the line that the user gets.
    """
    if _state.pending is not None and not _state.holds:
        _raise_put_off(None, advice)


def _stop_asked() -> bool:
    return _state.pending is not None


class _Block:
    """Counts itself in and out. A count is put back, not decreased, so that one that a signal spoilt is mended."""

    def __init__(self) -> None:
        self._counts = _state.installed and threading.current_thread() is threading.main_thread()
        self._outer = (0, 0)

    def _enter(self, deferrals: int, holds: int) -> None:
        if self._counts:
            self._outer = _state.deferrals, _state.holds
            _state.deferrals, _state.holds = self._outer[0] + deferrals, self._outer[1] + holds

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._counts:
            return
        # From here on a signal finds the outer state: it is either pending below or raised by the handler itself.
        _state.deferrals, _state.holds = self._outer
        if _state.pending is not None and not _state.holds and (_state.urgent or not _state.deferrals):
            _raise_put_off(error, None)


class _Deferred(_Block):
    def __enter__(self) -> Callable[[], bool]:
        self._enter(1, 0)
        return _stop_asked


class _Held(_Block):
    def __enter__(self) -> None:
        self._enter(0, 1)


def _raise_put_off(error: BaseException | None, advice: str | None) -> None:
    signum, _state.pending, _state.urgent = _state.pending, None, False
    if signum is not None and not isinstance(error, KeyboardInterrupt):
        raise Interrupted(signum, advice) from error


def _handle(signum: int, frame: FrameType | None) -> None:
    if signum == getattr(signal, "SIGXCPU", None):
        # The kernel repeats it at every second of processor time: it must not break into the work of stopping.
        signal.signal(signum, signal.SIG_IGN)
    now = time.monotonic()
    if now - _state.last < SAME_REQUEST_SECONDS:
        return
    _state.last = now
    if _state.holds:
        _state.urgent = _state.pending is not None
        _state.pending = _state.pending or signum
    elif _state.deferrals and _state.pending is None:
        _state.pending = signum
    else:
        _state.deferrals, _state.pending, _state.urgent = 0, None, False
        raise Interrupted(signum)
