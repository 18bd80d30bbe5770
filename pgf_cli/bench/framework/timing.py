"""How contestants are timed beside each other, and how much memory one of them takes."""

import ctypes
import gc
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

Work = Callable[[], object]

_RESET, _STATUS, _MEMORY = Path("/proc/self/clear_refs"), Path("/proc/self/status"), Path("/proc/meminfo")


class Watched(NamedTuple):
    """One run."""

    seconds: float
    peak_bytes: int | None
    """How much the process grew by at most; None where the system does not tell."""


def interleaved(works: Mapping[str, Work], repeats: int) -> dict[str, list[Watched]]:
    """Run contestants in turn, round after round, so that a slow minute of the machine falls on all of them.

    None is warmed up here: what a first run compiles or allocates counts.
    """
    runs: dict[str, list[Watched]] = {name: [] for name in works}
    gc.collect()
    # What lives now, whole libraries among it, need not be searched for garbage before each run.
    gc.freeze()
    try:
        for _ in range(repeats):
            for name, work in works.items():
                runs[name].append(watch(work))
    finally:
        gc.unfreeze()
    return runs


def watch(work: Work) -> Watched:
    """Time one run and its memory.

    The peak is the high-water mark of resident memory, reset before, less what was resident then. What the allocator
    holds free is returned to the system first, or a run could grow into it unseen.

    Source: proc(5): writing 5 to /proc/self/clear_refs resets VmHWM.
    """
    gc.collect()
    _return_free_memory()
    before = _reset_peak()
    began = time.perf_counter()
    kept = work()
    seconds = time.perf_counter() - began
    peak = None if before is None else max(0, _resident("VmHWM") - before)
    del kept
    return Watched(seconds, peak)


def median_seconds(runs: Sequence[Watched]) -> float:
    """Return the median of single runs' seconds."""
    return statistics.median(run.seconds for run in runs)


def median_peak(runs: Sequence[Watched]) -> int | None:
    """Return the median of single runs' peaks, in bytes."""
    peaks = [run.peak_bytes for run in runs if run.peak_bytes is not None]
    return round(statistics.median(peaks)) if peaks else None


def free_memory() -> int | None:
    """Return how many bytes the system could still give; None where it does not tell."""
    if not _MEMORY.exists():
        return None
    return _kilobytes("MemAvailable", _MEMORY)


def _reset_peak() -> int | None:
    """Resident memory now, from which the high-water mark rises again."""
    try:
        _RESET.write_text("5")
        return _resident("VmRSS")
    except OSError:
        return None


def _resident(field: str) -> int:
    return _kilobytes(field, _STATUS)


def _kilobytes(field: str, path: Path) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB$", path.read_text(), re.MULTILINE)
    assert found is not None, field
    return int(found[1]) * 1024


def _return_free_memory() -> None:
    """Ask glibc to give back what it holds free; other C libraries have no such call."""
    if _RESET.exists():
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
