"""Worker threads: why their number never changes a byte of a result, and why none of them computes with denormals.

A matrix product or a vectorised elementwise function may round differently when a library splits it among another
number of threads. So torch itself always runs on one thread here, and the work is cut into pieces of which each result
depends on the data alone: row panels of matrix products, channel blocks of scans. Threads only decide who takes which.

A tangent that decays ends among the denormal numbers, where many processors are ten to a hundred times slower and
where it stays, since they round no further down. So sweeps compute under ``flush_denormals``, which makes them zero in
the calling thread for that long, and in the workers for it. Everybody else's arithmetic is left alone.
"""

import math
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch

from pgf_cli.core.cpu_quota import cpu_quota
from pgf_cli.core.memory import keep_freed_memory

_pool: ThreadPoolExecutor | None = None
_threads = 1
_mode = threading.local()


def available_threads() -> int:
    """Return how many processors this process may run on, by its affinity and its control groups' quotas."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota()
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def set_threads(count: int) -> None:
    """Make this process ready to sweep, on ``count`` threads, the caller's included; results do not depend on it."""
    global _pool, _threads  # noqa: PLW0603  one pool per process is the point
    keep_freed_memory()
    torch.set_num_threads(1)
    if _pool is not None:
        _pool.shutdown()
    _threads = count
    _pool = ThreadPoolExecutor(count - 1, "pgf-worker", initializer=_prepare_worker) if count > 1 else None


@contextmanager
def sweeping_on(count: int | None) -> Iterator[int]:
    """Let a block sweep on ``count`` threads, by default on all there are, and say how many those are.

    Afterwards torch's own number is what it was before.
    """
    before, threads = torch.get_num_threads(), count or available_threads()
    set_threads(threads)
    try:
        yield threads
    finally:
        torch.set_num_threads(before)


def _prepare_worker() -> None:
    torch.set_num_threads(1)


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Let this thread, and those that work for it, compute with zero in a denormal number's place."""
    flushed_already = (torch.tensor(torch.finfo(torch.float32).tiny) / 2).item() == 0
    torch.set_flush_denormal(True)
    flushing_already, _mode.flushes = getattr(_mode, "flushes", False), True
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed_already)
        _mode.flushes = flushing_already


@contextmanager
def single_threaded() -> Iterator[None]:
    """Let this thread do all its work itself, where somebody watches what it does."""
    single_already, _mode.single = getattr(_mode, "single", False), True
    try:
        yield
    finally:
        _mode.single = single_already


def for_each(task: Callable[[int], None], count: int) -> None:
    """Call task(0) ... task(count - 1), in this thread and on the worker threads where there are any."""
    indices, flushing = iter(range(count)), getattr(_mode, "flushes", False)

    def take() -> None:
        for index in indices:
            task(index)

    def help_out() -> None:
        torch.set_flush_denormal(flushing)
        take()

    helping = 0 if getattr(_mode, "single", False) else min(_threads, count) - 1
    helpers = [_pool.submit(help_out) for _ in range(helping)] if _pool is not None else []
    try:
        take()
    finally:
        # Who has not begun by now has nothing left to do, and is not waited for.
        begun = [helper for helper in helpers if not helper.cancel()]
        for helper in begun:
            helper.exception()
    for helper in begun:
        helper.result()


def in_groups(loop: Callable[..., None], *arguments: Any) -> None:
    """Call a compiled loop(group, groups, *arguments) for one group of its rows or channels a thread."""
    for_each(lambda group: loop(group, _threads, *arguments), _threads)
