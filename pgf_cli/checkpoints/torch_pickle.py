"""The pickles inside files of ``torch.save``, with nothing in them but tensors and plain values.

Python's own unpickler calls whatever a pickle names. Here it gets one of a few functions of this file by that name,
and anything else is refused; ``torch.load(weights_only=True)`` does the same, but lets a pickle of some bytes ask for
any amount of memory. Source: Python's ``pickle`` and ``pickletools``; ``torch._utils`` for what torch writes.
"""

import io
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

LONGEST_PICKLE = 4 << 20
"""Bytes that describe the tensors of a file: some 150 a tensor."""


class ForeignNameError(Exception):
    """A pickle names a function or class that tensors do not need."""


class DamagedError(ValueError):
    """A file contradicts itself."""


class Storage(NamedTuple):
    """The numbers behind one or several tensors."""

    numbers: Tensor
    """One-dimensional."""


class Unusable(NamedTuple):
    """Stands for a tensor without numbers that can be used."""

    kind: str


class StorageId(NamedTuple):
    """How a pickle names the numbers that lie elsewhere in the file."""

    dtype: torch.dtype
    key: str
    count: int


def load(stream: io.BytesIO, storage: Callable[[StorageId], Storage]) -> Any:
    """Read the pickle at which the stream stands, and leave it behind its end.

    Args:
        stream: at most ``LONGEST_PICKLE`` bytes.
        storage: gives the numbers that the pickle names.

    Raises:
        ForeignNameError: it names anything but what tensors are made of.
        Exception: any other, where it is damaged.
    """
    start = stream.tell()
    # Read to its end first: a text that happens to begin like a pickle names nothing.
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name.endswith("PUT") and isinstance(argument, int) and argument > LONGEST_PICKLE:
            raise DamagedError("a memo beyond its own length")
    end = stream.tell()
    stream.seek(start)
    value = _Unpickler(stream, storage).load()
    stream.seek(end)
    return value


class _Function:
    """A function that a pickle may call and can do nothing else with."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)

    def __setstate__(self, state: object) -> None:
        raise DamagedError("it tries to change a function")


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, storage: Callable[[StorageId], Storage]) -> None:
        super().__init__(stream, encoding="utf-8")
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        """Look a name up among the few that are known."""
        if module == "torch" and name in _STORAGE_DTYPES:
            return _STORAGE_DTYPES[name]
        if (module, name) in _KNOWN:
            return _Function(_KNOWN[module, name])
        if module == "torch._utils" and name in _UNUSABLE:
            kind = _UNUSABLE[name]
            return _Function(lambda *_: Unusable(kind))
        raise ForeignNameError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Storage:
        """Turn ("storage", kind, key, device, count) into numbers; older files add None."""
        what, dtype, key, _, count, *view = pid
        named = what == "storage" and isinstance(dtype, torch.dtype) and isinstance(key, str)
        if not named or type(count) is not int or count < 0 or view not in ([], [None]):
            raise DamagedError("it names its numbers in an unknown way")
        return self._storage(StorageId(dtype, key, count))


def _tensor(storage: Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Tensor:
    """A view of a storage that has no more numbers than are there."""
    numbers = storage.numbers
    if not all(type(number) is int and 0 <= number < 1 << 63 for number in (offset, *size, *stride)):
        raise DamagedError("a tensor has an impossible size")
    if len(size) != len(stride):
        raise DamagedError("a tensor has more sizes than strides")
    count = 1
    for extent in size:
        count *= extent
    last = offset + sum((extent - 1) * step for extent, step in zip(size, stride, strict=True))
    if count and (count > len(numbers) or last >= len(numbers)):
        raise DamagedError("a tensor has more values than the file")
    return numbers[:0].view(size) if not count else torch.as_strided(numbers, size, stride, offset)


def _parameter(data: Tensor, *_: object) -> Tensor:
    return data


def _bytes(text: str, encoding: str = "latin1") -> bytes:
    """How bytes are written in old pickles."""
    return text.encode("latin1")


_STORAGE_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}
_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch", "Size"): tuple,
    ("_codecs", "encode"): _bytes,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
}
_UNUSABLE = {
    "_rebuild_sparse_tensor": "sparse",
    "_rebuild_sparse_csr_tensor": "sparse",
    "_rebuild_nested_tensor": "nested",
    "_rebuild_qtensor": "quantised",
    "_rebuild_meta_tensor_no_storage": "empty of values",
    "_rebuild_tensor_v3": "of a number format that is not read",
}
