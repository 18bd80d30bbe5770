"""The pickles inside files of ``torch.save``, read without Python's unpickler, which calls whatever a pickle names.

A pickle is a program for a small stack machine. Here only those of its instructions are carried out that tensors in
dictionaries, lists and tuples need, and the only functions that it can call are the few below, of which none makes
more than it is given: no code runs, and memory and time are bounded by the pickle's own length. Settings that training
programs keep beside the tensors as objects are stepped over: nothing is made of them.
(``torch.load(weights_only=True)`` runs no code either, but lets some bytes ask for any amount of memory.)

Source: the descriptions of the instructions in Python's ``pickletools``; ``torch._utils`` for what torch writes.
"""

import io
import itertools
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

LONGEST_PICKLE = 4 << 20
"""Bytes that describe the tensors of a file: some 150 a tensor."""

_MOST_STEPS = 300_000
"""Instructions of a pickle: some 40 a tensor."""
_MOST_DIMENSIONS = 16


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


@dataclass(frozen=True)
class Settings:
    """Stands for an object of a settings library, or for its class."""

    kind: str


class StorageId(NamedTuple):
    """How a pickle names the numbers that lie elsewhere in the file."""

    dtype: torch.dtype
    key: str
    length: int


class _Function(NamedTuple):
    """A function that a pickle may call."""

    call: Callable[..., Any]


def load(stream: io.BytesIO, storage: Callable[[StorageId], Storage]) -> Any:
    """Read the pickle at which the stream stands, and leave it behind its end.

    Args:
        stream: at most ``LONGEST_PICKLE`` bytes.
        storage: gives the numbers that the pickle names.

    Raises:
        ForeignNameError: it names anything but what tensors are made of.
        Exception: any other, where it is damaged.
    """
    # Read to its end first: a text that happens to begin like a pickle names nothing.
    steps = [
        (opcode.name, argument) for opcode, argument, _ in itertools.islice(pickletools.genops(stream), _MOST_STEPS)
    ]
    if not steps or steps[-1][0] != "STOP":
        raise DamagedError(f"it takes more than {_MOST_STEPS:,} steps")
    machine = _Machine(storage)
    for name, argument in steps:
        machine.step(name, argument)
    return machine.result()


class _Machine:
    """The stack machine."""

    def __init__(self, storage: Callable[[StorageId], Storage]) -> None:
        self._storage = storage
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        """The stacks below each mark."""
        self._memo: dict[int, Any] = {}

    def result(self) -> Any:
        (value,) = self._stack
        return value

    def step(self, name: str, argument: Any) -> None:
        """Carry out an instruction, by its name in ``pickletools``."""
        if name in _PUSH:
            self._stack.append(argument)
        elif name in _MAKE:
            self._stack.append(_MAKE[name]())
        elif name in _TUPLES:
            items = [self._pop() for _ in range(_TUPLES[name])]
            self._stack.append(tuple(reversed(items)))
        elif name in _GET:
            self._stack.append(self._memo[argument])
        elif name in _PUT:
            self._memo[argument] = self._stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = self._stack[-1]
        elif name in _STEPS:
            _STEPS[name](self)
        elif name == "GLOBAL":
            self._stack.append(_named(*argument.split(" ", 1)))
        elif name not in _NOTHING:
            raise DamagedError(f"it has {name}, which tensors do not need")

    def _pop(self) -> Any:
        return self._stack.pop()

    def _since_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._marked.pop()
        return items

    def mark(self) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def make_tuple(self) -> None:
        items = self._since_mark()
        self._stack.append(tuple(items))

    def make_list(self) -> None:
        items = self._since_mark()
        self._stack.append(items)

    def make_dict(self) -> None:
        items = self._since_mark()
        self._stack.append({})
        self._fill(items)

    def set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._fill([key, value])

    def set_items(self) -> None:
        self._fill(self._since_mark())

    def append(self) -> None:
        value = self._pop()
        self._list().append(value)

    def append_all(self) -> None:
        items = self._since_mark()
        self._list().extend(items)

    def call(self) -> None:
        arguments, function = self._pop(), self._pop()
        if isinstance(function, Settings):
            self._stack.append(function)
            return
        if not isinstance(function, _Function) or type(arguments) is not tuple:
            raise DamagedError("it calls what is no function")
        self._stack.append(function.call(*arguments))

    def build(self) -> None:
        """Leave out what a dictionary has besides its items: torch keeps versions of its modules there."""
        self._pop()
        if not isinstance(self._stack[-1], Settings):
            self._dictionary()

    def new_object(self) -> None:
        """Step over the making of an object of a settings library."""
        self._pop()
        if not isinstance(self._stack[-1], Settings):
            raise DamagedError("it makes an object of what is no class")

    def global_of_stack(self) -> None:
        name, module = self._pop(), self._pop()
        self._stack.append(_named(str(module), str(name)))

    def persistent(self) -> None:
        """Turn ("storage", kind, key, device, count) into numbers; older files add None."""
        what, dtype, key, _, count, *view = self._pop()
        named = what == "storage" and isinstance(dtype, torch.dtype) and isinstance(key, str)
        if not named or type(count) is not int or count < 0 or view not in ([], [None]):
            raise DamagedError("it names its numbers in an unknown way")
        self._stack.append(self._storage(StorageId(dtype, key, count)))

    def _fill(self, items: list[Any]) -> None:
        if isinstance(self._stack[-1], Settings):
            return
        target = self._dictionary()
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Hashing a deep nest of tuples ends Python.
            if not isinstance(key, str | int | float | None):
                raise DamagedError(f"a key is a {type(key).__name__}")
            target[key] = value

    def _dictionary(self) -> dict[Any, Any]:
        if not isinstance(target := self._stack[-1], dict):
            raise DamagedError(f"it fills a {type(target).__name__} like a dictionary")
        return target

    def _list(self) -> list[Any]:
        if not isinstance(target := self._stack[-1], list):
            raise DamagedError(f"it fills a {type(target).__name__} like a list")
        return target


def _named(module: str, name: str) -> Any:
    """Look a name up among the few that are known."""
    if module == "torch" and name in _DTYPES:
        return _DTYPES[name]
    if (module, name) in _FUNCTIONS:
        return _Function(_FUNCTIONS[module, name])
    if (module, name) in _UNUSABLE:
        kind = _UNUSABLE[module, name]
        return _Function(lambda *_: Unusable(kind))
    if (module, name) == ("torch.storage", "UntypedStorage"):
        return torch.uint8
    if module.partition(".")[0] == "omegaconf" or (module, name) in _SETTINGS:
        return Settings(f"{module}.{name}"[:100])
    raise ForeignNameError(f"{module}.{name}")


def _tensor(storage: Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Tensor:
    """A view of a storage that has no more numbers than are there."""
    numbers = storage.numbers
    if len(size) != len(stride) or len(size) > _MOST_DIMENSIONS:
        raise DamagedError("a tensor has an impossible number of dimensions")
    if not all(type(number) is int and 0 <= number < 1 << 63 for number in (offset, *size, *stride)):
        raise DamagedError("a tensor has an impossible size")
    count = 1
    for extent in size:
        count *= extent
    last = offset + sum((extent - 1) * step for extent, step in zip(size, stride, strict=True))
    if count and (count > len(numbers) or last >= len(numbers)):
        raise DamagedError("a tensor has more values than the file")
    return numbers[:0].view(size) if not count else torch.as_strided(numbers, size, stride, offset)


def _parameter(data: Tensor, *_: object) -> Tensor:
    return data


def _size(extents: tuple[int, ...]) -> tuple[int, ...]:
    return extents


_STORAGES = {
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
_DTYPES = _STORAGES | {name: value for name, value in vars(torch).items() if isinstance(value, torch.dtype)}
_FUNCTIONS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): lambda: {},
    ("torch", "Size"): _size,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
}
_UNUSABLE = {
    ("torch._utils", "_rebuild_sparse_tensor"): "sparse",
    ("torch._utils", "_rebuild_sparse_csr_tensor"): "sparse",
    ("torch._utils", "_rebuild_nested_tensor"): "nested",
    ("torch._utils", "_rebuild_qtensor"): "quantised",
    ("torch._utils", "_rebuild_meta_tensor_no_storage"): "empty of values",
    ("torch._utils", "_rebuild_tensor_v3"): "of a number format that is not read",
    ("torch.serialization", "_get_layout"): "a layout",
    ("torch", "device"): "a device",
    # How bytes are written in old pickles.
    ("_codecs", "encode"): "bytes",
}

_PLAIN = ("dict", "list", "tuple", "set", "int", "long", "float", "str", "bool")
_SETTINGS = {
    ("typing", "Any"),
    ("collections", "defaultdict"),
    ("argparse", "Namespace"),
    ("pathlib", "PosixPath"),
    *((module, name) for module in ("builtins", "__builtin__") for name in _PLAIN),
    # Lightning's dictionary of hyperparameters, by the places that it had.
    ("lightning.fabric.utilities.data", "AttributeDict"),
    ("lightning_fabric.utilities.data", "AttributeDict"),
    ("pytorch_lightning.utilities.parsing", "AttributeDict"),
}
"""What Lightning keeps of a training's settings, beside objects of omegaconf: as good as absent, and never called."""

_NUMBERS = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
_TEXTS = {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
_PUSH = _NUMBERS | _TEXTS | {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8"}
_MAKE: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_GET = {"GET", "BINGET", "LONG_BINGET"}
_PUT = {"PUT", "BINPUT", "LONG_BINPUT"}
_NOTHING = {"PROTO", "FRAME", "STOP"}
_STEPS: dict[str, Callable[[_Machine], None]] = {
    "MARK": _Machine.mark,
    "TUPLE": _Machine.make_tuple,
    "LIST": _Machine.make_list,
    "DICT": _Machine.make_dict,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.append_all,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.build,
    "NEWOBJ": _Machine.new_object,
    "STACK_GLOBAL": _Machine.global_of_stack,
    "BINPERSID": _Machine.persistent,
}
