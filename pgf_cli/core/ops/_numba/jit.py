"""Compiling the CPU's kernels, and keeping what was compiled for the next process.

Compiling takes a minute, so it is done once for each processor. Numba's own cache watches only the file that holds a
kernel, so that a changed helper leaves stale kernels; believes what it reads, so that a damaged file ends the process;
and refuses to work where no folder can be written. Here a file's name tells everything that a kernel depends on, a file
begins with its checksum, and where nothing can be kept, kernels are compiled in each process, with one warning.
"""

import hashlib
import logging
import os
import pickle
import sys
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba import njit
from numba.core import compiler, config, serialize
from numba.core.caching import NullCache

from pgf_cli.core.ops._numba.exponential import FASTMATH
from pgf_cli.errors import PgfError

_log = logging.getLogger(__name__)
"""A program that watches its logs is told there; otherwise a warning goes to stderr."""

# Not typed, or not in full.
_settings: Any = config
_Compiled: Any = compiler.CompileResult
_dumps: Any = serialize.dumps

_OPERATORS = Path(__file__).parents[1]
_SOURCES = ("_numba/*.py", "*/cpu.py", "activations.py")
_DIGEST_BYTES = hashlib.sha256().digest_size

kernel_part = njit(fastmath=FASTMATH, error_model="numpy")
"""Compiles a function that kernels call, as part of each."""


class CompilerSwitchedOffError(PgfError):
    """Numba was told not to compile: the kernels would run as Python, a thousand times slower."""


def kernel(loop: Callable[..., None]) -> Any:
    """Compile a loop over one group of rows or channels, and what it calls, at its first use with each number format.

    Raises:
        CompilerSwitchedOffError: numba is told not to compile.
    """
    if _settings.DISABLE_JIT:
        raise CompilerSwitchedOffError(
            "numba is told not to compile (NUMBA_DISABLE_JIT, or disable_jit in .numba_config.yaml), and without it a "
            "run would take a thousand times as long; unset NUMBA_DISABLE_JIT"
        )
    dispatcher: Any = njit(nogil=True, fastmath=FASTMATH, error_model="numpy")(loop)
    dispatcher._cache = _KernelCache(f"{loop.__module__.rpartition('ops.')[2]}.{loop.__name__}")
    return dispatcher


class _KernelCache(NullCache):
    """One kernel's files, one for each signature and processor."""

    _keeps = True
    """Whether any folder has taken what was compiled, or none was asked yet; of all kernels together."""

    def __init__(self, name: str) -> None:
        self._name = name

    def load_overload(self, sig: object, target_context: Any) -> Any:
        """Return what was compiled for these types by this very code; None where it must be compiled."""
        target_context.refresh()
        file_name = self._file_name(sig, target_context.codegen())
        for folder in _folders():
            compiled = _checked(folder / file_name)
            if compiled is not None:
                return _Compiled._rebuild(target_context, *pickle.loads(compiled))
        return None

    def save_overload(self, sig: object, data: Any) -> None:
        """Keep what was just compiled in the first folder that takes it."""
        compiled: bytes = _dumps(data._reduce())
        content = hashlib.sha256(compiled).digest() + compiled
        if self._keeps and not _keep(self._file_name(sig, data.codegen), content):
            _KernelCache._keeps = False

    def _file_name(self, sig: object, codegen: Any) -> str:
        depends_on = repr((_code_key(), codegen.magic_tuple(), sig))
        return f"{self._name}-{hashlib.sha256(depends_on.encode()).hexdigest()[:32]}.kernel"


@cache
def _code_key() -> tuple[object, ...]:
    """What all kernels are made of and by."""
    sources = hashlib.sha256()
    for path in sorted(path for pattern in _SOURCES for path in _OPERATORS.glob(pattern)):
        sources.update(hashlib.sha256(path.read_bytes()).digest())
    made_by = (sys.implementation.cache_tag, numba.__version__, llvmlite.__version__, np.__version__)
    settings = (_settings.OPT, _settings.BOUNDSCHECK, _settings.LOOP_VECTORIZE, _settings.SLP_VECTORIZE)
    return sources.hexdigest(), *made_by, *settings


def _folders() -> Iterator[Path]:
    """Where kernels are looked for and kept: where the user says, or beside the code, or in the user's cache."""
    if _settings.CACHE_DIR:
        yield Path(_settings.CACHE_DIR).absolute() / "pgf-sensitivity"
        return
    yield Path(__file__).parent / "__pycache__"
    # Not Path.expanduser, which raises where there is no home.
    user_cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    if Path(user_cache).is_absolute():
        yield Path(user_cache) / "pgf-sensitivity"


def _checked(path: Path) -> bytes | None:
    """What a file holds if it is all there."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, compiled = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return compiled if hashlib.sha256(compiled).digest() == digest else None


def _keep(name: str, content: bytes) -> bool:
    """Write a file in the first folder that takes it; say why where none does."""
    failures = []
    for folder in _folders():
        try:
            _write(folder / name, content)
        except OSError as error:
            failures.append(f"{os.fspath(folder)!r}: {error.strerror or error}")
        else:
            return True
    _log.warning(
        "warning: compiled code cannot be kept, so that every run spends about a minute compiling it again (%s); "
        "set NUMBA_CACHE_DIR to a folder with space that can be written",
        "; ".join(failures),
    )
    return False


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
