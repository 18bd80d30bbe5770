"""Worker threads, and why their number never changes a byte of a result.

A matrix product or a vectorised elementwise function may round differently when a library splits it among another
number of threads. So torch itself always runs on one thread here, and the work is cut into pieces whose size
depends on the data alone: row panels of matrix products, channel blocks of scans. Threads only decide who takes which.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import torch

_pool: ThreadPoolExecutor | None = None


def available_threads() -> int:
    """Return how many processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_threads(count: int) -> None:
    """Use ``count`` worker threads from now on; results do not depend on it.

    Threads beyond those that numba started with (``NUMBA_NUM_THREADS``, by default one a processor) serve matrix
    products only.
    """
    global _pool  # noqa: PLW0603  one pool per process is the point
    torch.set_num_threads(1)
    started: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    numba.set_num_threads(min(count, started))
    if _pool is not None:
        _pool.shutdown()
    _pool = (
        ThreadPoolExecutor(count, "pgf-worker", initializer=torch.set_num_threads, initargs=(1,)) if count > 1 else None
    )


def for_each(task: Callable[[int], None], count: int) -> None:
    """Call task(0) ... task(count - 1), on the worker threads where there are any."""
    if _pool is None or count == 1:
        for index in range(count):
            task(index)
    else:
        list(_pool.map(task, range(count)))
