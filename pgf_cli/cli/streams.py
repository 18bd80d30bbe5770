"""Standard streams that outlast their readers: what cannot be shown never stops the work."""

import io
import os
import select
import sys
from contextlib import suppress
from typing import Any, TextIO

from pgf_cli.printable import printable

STANDARD = (0, 1, 2)


class LastingFile(io.FileIO):
    """A file descriptor that takes everything. After the first failure it writes no more and ``error`` says why."""

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write, or drop what can no longer be written."""
        count = memoryview(data).nbytes
        while self.error is None:
            try:
                written = super().write(data)
            except OSError as error:
                self.error = error
            else:
                if written is not None:
                    return written
                # Somebody has made the terminal non-blocking, as ssh does; it takes more in a moment.
                select.select([], [self], [])
        return count


def say(line: str) -> None:
    """Print a line on stderr: a warning, an error."""
    print(printable(line), file=sys.stderr, flush=True)


def make_lasting() -> None:
    """Give the process standard streams that can be written to whatever becomes of those that it was started with.

    A closed one becomes the null device: else the next file that is opened would get its number, and every message of
    a library would land in that file. What an encoding lacks is escaped.
    """
    for descriptor in STANDARD:
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stdout, sys.stderr = _lasting(1, sys.stdout), _lasting(2, sys.stderr)


def _lasting(descriptor: int, stream: TextIO | None) -> TextIO:
    if stream is not None and not isinstance(stream, io.TextIOWrapper):
        return stream  # somebody's own, as in a notebook
    encoding = stream.encoding if stream else "utf-8"
    line_buffering = descriptor == STANDARD[2] or (stream is not None and stream.line_buffering)
    return io.TextIOWrapper(
        io.BufferedWriter(LastingFile(descriptor, "w", closefd=False)),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=line_buffering,
        write_through=stream is not None and stream.write_through,
    )


def failure(stream: TextIO) -> OSError | None:
    """Flush a stream; return why it could not be written, if it could not.

    A reader that has gone away, as in ``| head``, has seen enough: that is no failure.
    """
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", None)
    if not isinstance(raw, LastingFile):
        return None
    with suppress(OSError):
        stream.flush()
    return None if isinstance(raw.error, BrokenPipeError) else raw.error
