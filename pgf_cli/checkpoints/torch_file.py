"""Files of ``torch.save``: a zip archive of a pickle and the numbers, or, before torch 1.6, several pickles in a row.

Nothing is allocated that is larger than the file. Source: the serialisation notes of PyTorch and
``torch.serialization``.
"""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from pgf_cli.checkpoints.diagnosis import AGAIN, line_of, why_unreadable
from pgf_cli.checkpoints.errors import CheckpointError, TensorError, UnsafeCheckpointError, shown
from pgf_cli.checkpoints.safetensors_file import bytes_of, fill
from pgf_cli.checkpoints.torch_pickle import (
    LONGEST_PICKLE,
    DamagedError,
    ForeignNameError,
    Storage,
    StorageId,
    Unusable,
    load,
)
from pgf_cli.inputs import Inputs

_MAGIC = 0x1950A86A20F9469CFC6C
"""What older files begin with."""
_LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Of a member of a zip archive: its mark, and the lengths of what follows before the data."""


def read_torch(path: Path, inputs: Inputs) -> object:
    """Read what ``torch.save`` wrote, to the CPU: tensors and plain values only.

    Raises:
        UnsafeCheckpointError: the file asks for anything else to be made or called.
        CheckpointError: the file is damaged, or is something else.
        InputError: it cannot be read.
    """
    with inputs.opened(path) as file:
        try:
            reader = _Archive(file) if zipfile.is_zipfile(file) else _Sequence(file)
            return reader.content()
        except ForeignNameError as error:
            raise UnsafeCheckpointError(
                f"{path} was refused: loading it would call {error!s:.100}, and a checkpoint may hold tensors only; "
                "save model.state_dict() instead of whole objects, and do not trust this file."
            ) from error
        # Bytes that are no checkpoint can end in any exception whatever.
        except Exception as error:
            file.seek(0)
            raise why_unreadable(file, path) or CheckpointError(
                f"{path} is damaged, cut short or not a PyTorch checkpoint ({line_of(error)}); {AGAIN}."
            ) from error


def named_tensors(value: Mapping[Any, Any], where: object) -> dict[str, Tensor]:
    """Check that a dictionary is a state dict.

    Raises:
        TensorError: an entry is not a dense tensor with a name.
    """
    for name, tensor in value.items():
        if isinstance(name, str) and isinstance(tensor, Unusable):
            raise TensorError(f"{where}: tensor {name:.200} is {tensor.kind}; save it dense.")
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise TensorError(f"{where}: entry {shown(name)} is a {type(tensor).__name__}, not a tensor with a name.")
    return dict(value)


class _Archive:
    """The zip format."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._size = file, os.fstat(file.fileno()).st_size
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
        # Stored as they are, all of them together cannot be more than the file: no bomb.
        if any(member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1 for member in members):
            raise DamagedError("it is packed, which torch.save does not do")
        if sum(member.file_size for member in members) > self._size:
            raise DamagedError("its parts overlap")
        self._members = {member.filename: member for member in members}
        self._storages: dict[str, Storage] = {}
        pickles = [name for name in self._members if name.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise DamagedError(f"it has {len(pickles)} data.pkl")
        self._pickle = pickles[0]
        self._root = self._pickle.removesuffix("data.pkl")

    def content(self) -> object:
        if f"{self._root}byteorder" in self._members and self._bytes(f"{self._root}byteorder", 16) != b"little":
            raise DamagedError("its numbers are big-endian")
        return load(io.BytesIO(self._bytes(self._pickle, LONGEST_PICKLE)), self._storage)

    def _storage(self, wanted: StorageId) -> Storage:
        if wanted.key not in self._storages:
            numbers = self._read(f"{self._root}data/{wanted.key}", wanted)
            self._storages[wanted.key] = Storage(numbers)
        found = self._storages[wanted.key]
        if found.numbers.dtype != wanted.dtype or len(found.numbers) != wanted.length:
            raise DamagedError("the same numbers are described in two ways")
        return found

    def _read(self, name: str, wanted: StorageId) -> Tensor:
        member = self._members[name]
        if member.file_size != wanted.length * wanted.dtype.itemsize:
            raise DamagedError(f"{name} is not of the size that is said")
        self._seek(member)
        tensor = torch.empty(wanted.length, dtype=wanted.dtype)
        if not fill(self._file, tensor):
            raise DamagedError(f"it ends within {name}")
        # torch does not look at the check sum, and can be told not to write it: then it is 0.
        if member.CRC and wanted.length and zlib.crc32(bytes_of(tensor)) != member.CRC:
            raise DamagedError(f"the check sum of {name} is wrong")
        return tensor

    def _bytes(self, name: str, limit: int) -> bytes:
        member = self._members[name]
        if member.file_size > limit:
            raise DamagedError(f"its {name} has {member.file_size:,} bytes")
        self._seek(member)
        return self._file.read(member.file_size)

    def _seek(self, member: zipfile.ZipInfo) -> None:
        """Go to where a member's data begin."""
        self._file.seek(member.header_offset)
        mark, *lengths = _LOCAL_HEADER.unpack(self._file.read(_LOCAL_HEADER.size))
        if mark != b"PK\x03\x04":
            raise DamagedError(f"there is no {member.filename} where it should be")
        self._file.seek(member.header_offset + _LOCAL_HEADER.size + sum(lengths))


class _Sequence:
    """The older format: a magic number, a version, the writer's machine, the content, keys; then each key's numbers."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left = file, os.fstat(file.fileno()).st_size
        self._storages: dict[str, Storage] = {}

    def content(self) -> object:
        self._file.seek(0)
        stream = io.BytesIO(self._file.read(LONGEST_PICKLE))
        if (magic := load(stream, self._storage)) != _MAGIC:
            raise DamagedError(f"it holds a {type(magic).__name__} alone")
        _version, machine, content, keys = (load(stream, self._storage) for _ in range(4))
        if machine.get("little_endian") is False:
            raise DamagedError("its numbers are big-endian")
        if set(keys) != set(self._storages):
            raise DamagedError("its numbers are not those that its tensors name")
        self._file.seek(stream.tell())
        for key in keys:
            numbers = self._storages[key].numbers
            if int.from_bytes(self._file.read(8), "little") != len(numbers) or not fill(self._file, numbers):
                raise DamagedError(f"the numbers of {key} are not all there")
        return content

    def _storage(self, wanted: StorageId) -> Storage:
        """Make room for numbers that come later, together no more than the file has."""
        if wanted.key not in self._storages:
            self._left -= wanted.length * wanted.dtype.itemsize
            if self._left < 0:
                raise DamagedError("its tensors are larger than the file")
            self._storages[wanted.key] = Storage(torch.empty(wanted.length, dtype=wanted.dtype))
        return self._storages[wanted.key]
