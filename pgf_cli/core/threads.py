"""Worker threads: why their number never changes a byte of a result, and why none of them computes with denormals.

A matrix product or a vectorised elementwise function may round differently when a library splits it among another
number of threads. So torch itself always runs on one thread here, and the work is cut into pieces whose size
depends on the data alone: row panels of matrix products, channel blocks of scans. Threads only decide who takes which.

A tangent that decays ends among the denormal numbers, where many processors are ten to a hundred times slower and
where it stays, since they round no further down. So sweeps compute under ``computing``, which flushes them to zero in
the calling thread for that long; pool threads always do. Everybody else's arithmetic is left alone. Compiled loops run
on numba's own threads, which a caller cannot reach, so each of their work items takes over the calling thread's float
environment: flushing or not, a loop computes the same on every thread.
"""

import os
import platform
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numba
import torch
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

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
    _pool = ThreadPoolExecutor(count, "pgf-worker", initializer=_prepare_worker) if count > 1 else None


def _prepare_worker() -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


@contextmanager
def computing() -> Iterator[None]:
    """Record no gradients and flush denormals to zero, in this thread and in the loops that it starts."""
    flushed_already = (torch.tensor(torch.finfo(torch.float32).tiny) / 2).item() == 0
    torch.set_flush_denormal(True)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_flush_denormal(flushed_already)


def for_each(task: Callable[[int], None], count: int) -> None:
    """Call task(0) ... task(count - 1), on the worker threads where there are any."""
    if _pool is None or count == 1:
        for index in range(count):
            task(index)
    else:
        list(_pool.map(task, range(count)))


_MACHINE = platform.machine().lower()
_X86, _ARM = _MACHINE in ("x86_64", "amd64"), _MACHINE in ("aarch64", "arm64")
_BYTES = ir.IntType(8).as_pointer()


def _call(builder: Any, name: str, result: ir.Type, *arguments: ir.Value) -> ir.Value:
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(builder.module.declare_intrinsic(name, (), kind), arguments)


def _slot(builder: Any) -> ir.Value:
    # In the function's entry block: an alloca inside a loop would grow the stack at each turn.
    with builder.goto_entry_block():
        return builder.alloca(ir.IntType(32))


def _read_environment(typingctx: Any) -> Any:
    """MXCSR on x86-64, FPCR on aarch64, 0 elsewhere."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> ir.Value:
        if _X86:
            slot = _slot(builder)
            _call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), builder.bitcast(slot, _BYTES))
            return builder.zext(builder.load(slot), ir.IntType(64))
        if _ARM:
            return _call(builder, "llvm.aarch64.get.fpcr", ir.IntType(64))
        return ir.Constant(ir.IntType(64), 0)

    return types.uint64(), codegen


def _write_environment(typingctx: Any, environment: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> ir.Value:
        if _X86:
            slot = _slot(builder)
            builder.store(builder.trunc(args[0], ir.IntType(32)), slot)
            _call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), builder.bitcast(slot, _BYTES))
        elif _ARM:
            _call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), args[0])
        return context.get_dummy_value()

    return types.void(types.uint64), codegen


float_environment: Any = intrinsic(_read_environment)
"""In compiled code: the calling thread's float environment, to be read before a parallel loop."""

adopt_float_environment: Any = intrinsic(_write_environment)
"""In compiled code: set this thread's float environment; the first statement of a parallel loop's work item."""
