"""The safetensors format: a JSON header that says where each tensor lies, then the numbers.

Read here, not by the format's own library, so that a header is checked against the file before anything is allocated
and the bytes come from the very file that is hashed. Source: https://huggingface.co/docs/safetensors.
"""

import math
import os
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch
from torch import Tensor

from pgf_cli.checkpoints.diagnosis import AGAIN, why_unreadable
from pgf_cli.checkpoints.errors import CheckpointError, shown
from pgf_cli.checkpoints.fields import parse_fields
from pgf_cli.inputs import Inputs

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
    "C64": torch.complex64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}
_MOST_DIMENSIONS = 16
_LENGTH = 8
"""Bytes that say how long the header is."""


class Safetensors(NamedTuple):
    """What a safetensors file holds."""

    metadata: dict[str, str]
    tensors: dict[str, Tensor]


class _Place(NamedTuple):
    """A tensor as the header describes it; offsets are from the end of the header."""

    start: int
    end: int
    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]


def read_safetensors(path: Path, inputs: Inputs) -> Safetensors:
    """Read a safetensors file to the CPU.

    Raises:
        CheckpointError: the file is damaged, or is something else.
        InputError: it cannot be read.
    """
    with inputs.opened(path) as file:
        if problem := why_unreadable(file, path):
            raise problem
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(_LENGTH), "little")
        if length > size - _LENGTH:
            raise _damaged(path, f"its header would have {length:,} bytes and the whole file has {size:,}")
        header = dict(parse_fields(file.read(length), f"{path}: header").values)
        metadata = header.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise _damaged(path, "its metadata are no texts by name")
        places = sorted(_place(name, entry, path) for name, entry in header.items())
        _check_places(places, size - _LENGTH - length, path)
        tensors = {place.name: _read(file, place, path) for place in places}
    return Safetensors(metadata, {name: tensors[name] for name in header})


def bytes_of(tensor: Tensor) -> memoryview:
    """Return the memory behind a contiguous tensor on the CPU."""
    return memoryview(tensor.view(-1).view(torch.uint8).numpy())  # type: ignore[arg-type]


def fill(file: BinaryIO, tensor: Tensor) -> bool:
    """Read a tensor's bytes from where the file stands; False if it ends before."""
    if not tensor.numel():
        return True
    left = bytes_of(tensor)
    while left:
        got = file.readinto(left)  # type: ignore[attr-defined]
        if not got:
            return False
        left = left[got:]
    return True


def _place(name: str, entry: Any, path: Path) -> _Place:
    try:
        dtype, shape, (start, end) = (entry[key] for key in ("dtype", "shape", "data_offsets"))
        numbers = [*shape, start, end]
        whole = all(type(number) is int and 0 <= number < 1 << 63 for number in numbers)
        usable = whole and len(shape) <= _MOST_DIMENSIONS
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"its header has {shown(entry)} for {shown(name)}") from error
    if not usable:
        raise _damaged(path, f"its header has shape {shown(shape)} for {shown(name)}")
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise CheckpointError(f"{path}: tensor {shown(name)} holds {shown(dtype)}, which is not read; save it as F32.")
    if end - start != math.prod(shape) * _DTYPES[dtype].itemsize:
        raise _damaged(path, f"tensor {shown(name)} has shape {shown(shape)} of {dtype} in {end - start:,} bytes")
    return _Place(start, end, name, _DTYPES[dtype], tuple(shape))


def _check_places(places: list[_Place], size: int, path: Path) -> None:
    """Check that the tensors lie side by side and fill the file."""
    at = 0
    for place in places:
        if place.start != at:
            raise _damaged(path, f"tensor {shown(place.name)} begins at byte {place.start:,}, not at {at:,}")
        at = place.end
    if at != size:
        raise _damaged(path, f"its tensors take {at:,} bytes and it has {size:,}")


def _read(file: BinaryIO, place: _Place, path: Path) -> Tensor:
    tensor = torch.empty(place.shape, dtype=place.dtype)
    if not fill(file, tensor):
        raise _damaged(path, f"it ends within tensor {shown(place.name)}")
    return tensor


def _damaged(path: Path, what: str) -> CheckpointError:
    return CheckpointError(f"{path} is damaged or cut short ({what}); {AGAIN}.")
