"""The log of a training run: a CSV with a row for every step, written as the run goes."""

import csv
from pathlib import Path
from typing import NamedTuple

from pgf_cli.atomic import write_atomically


class LogRow(NamedTuple):
    """One step."""

    step: int
    """Counted from 1."""
    bases: int
    """Bases read so far."""
    loss: float
    """Of this step's batch before the step, in bits per base."""
    held_out: float | None
    """Of the held-out regions after the step, in bits per base; only where it was measured."""
    learning_rate: float
    seconds: float
    """Since the run began, over all its resumptions."""


class TrainingLog:
    """The log, open for further rows.

    Args:
        path: replaced by a new log, unless it is resumed.
        resumed_at: how many steps stay; a row beyond them belongs to work that was lost. 0 begins anew.
    """

    def __init__(self, path: Path, resumed_at: int) -> None:
        kept = [",".join(LogRow._fields), *(_rows(path, resumed_at) if resumed_at else [])]
        text = "".join(f"{line}\n" for line in kept)
        write_atomically(path, lambda file: file.write(text.encode()))
        self._file = path.open("a", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")

    def write(self, row: LogRow) -> None:
        """Append a row."""
        held_out = "" if row.held_out is None else f"{row.held_out:.6f}"
        loss, rate, seconds = f"{row.loss:.6f}", f"{row.learning_rate:.4g}", f"{row.seconds:.1f}"
        self._writer.writerow([row.step, row.bases, loss, held_out, rate, seconds])
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _rows(path: Path, steps: int) -> list[str]:
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    return [line for line in lines if line.partition(",")[0].isdecimal() and int(line.partition(",")[0]) <= steps]
