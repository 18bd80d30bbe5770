"""Features of a whole sequence, between two layers of a two-direction model: in memory, or beyond a budget in files.

Files are read and written by position, not mapped: mapped pages would count as this process's memory. The system keeps
them in memory all the same for as long as nobody else needs it.
"""

import os
import tempfile
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple, TypeVar

import torch
from torch import Tensor

from pgf_cli.errors import PgfError

FEATURE_BUDGET = 10**9
"""Bytes of features kept in memory at most, unless told otherwise."""
DISK_SHARE = 0.8
"""How much of the free disk features may take."""

Result = TypeVar("Result")

Shape = tuple[int, int, int, int]
"""Streams S, the primal and its tangents 1 + K, length L, channels D."""


class FeatureFileError(PgfError, OSError):
    """Features could not be kept on disk."""

    def __init__(self, folder: Path, size: int, why: OSError) -> None:
        super().__init__(
            f"Cannot keep {size / 1e9:.2f} GB of features in {folder}: {why.strerror or why}. "
            "Free some space there, write elsewhere with --output, raise --feature-budget, or read by --window."
        )


class FeatureSpace(NamedTuple):
    """Where features may be kept."""

    budget: int = FEATURE_BUDGET
    """Bytes in memory at most."""
    folder: Path | None = None
    """Where the files are; None: the system's folder for such files."""


DEFAULT_SPACE = FeatureSpace()


class Features(ABC):
    """Features (S, 1 + K, L, D)."""

    @abstractmethod
    def read(self, first: int, last: int) -> Tensor:
        """Return a copy of those of some positions, (S, 1 + K, last - first, D), on the model's device."""

    @abstractmethod
    def write(self, first: int, last: int, tile: Tensor) -> None:
        """Keep those of some positions."""


class FeatureRoom:
    """Makes features, in memory while the budget lasts; what is no longer referred to gives its share back.

    Args:
        space: the budget, and where files are.
        device: of the model.
        dtype: of the features.
    """

    def __init__(self, space: FeatureSpace, device: torch.device, dtype: torch.dtype) -> None:
        self._folder = Path(tempfile.gettempdir()) if space.folder is None else space.folder
        self._left, self._device, self._dtype = space.budget, device, dtype

    def make(self, shape: Shape) -> Features:
        """Return features that hold nothing yet.

        Raises:
            FeatureFileError: the disk is full, or the folder cannot be written to.
        """
        size = self.bytes_of(shape)
        if size > self._left:
            return _FileFeatures(shape, self._dtype, self._device, self._folder)
        features = _MemoryFeatures(torch.empty(shape, dtype=self._dtype, device=self._device))
        self._left -= size
        weakref.finalize(features, self._give_back, size)
        return features

    def holds(self, shape: Shape) -> int:
        """Return how many such features there is room for, in memory and on the disk."""
        status = os.statvfs(self._folder)
        disk = int(DISK_SHARE * status.f_bavail * status.f_frsize)
        size = max(1, self.bytes_of(shape))
        return self._left // size + disk // size

    def bytes_of(self, shape: Shape) -> int:
        """Return what features of that shape take."""
        size = self._dtype.itemsize
        for count in shape:
            size *= count
        return size

    def _give_back(self, size: int) -> None:
        self._left += size


class _MemoryFeatures(Features):
    def __init__(self, rows: Tensor) -> None:
        self._rows = rows

    def read(self, first: int, last: int) -> Tensor:
        return self._rows[:, :, first:last].clone(memory_format=torch.contiguous_format)

    def write(self, first: int, last: int, tile: Tensor) -> None:
        self._rows[:, :, first:last] = tile


class _FileFeatures(Features):
    """A nameless file: each stream's primal and tangents one after another, each (L, D)."""

    def __init__(self, shape: Shape, dtype: torch.dtype, device: torch.device, folder: Path) -> None:
        self._shape, self._dtype, self._device, self._folder = shape, dtype, device, folder
        self._row = shape[3] * dtype.itemsize
        self._size = shape[0] * shape[1] * shape[2] * self._row
        self._file = self._kept(self._opened)
        weakref.finalize(self, self._file.close)

    def read(self, first: int, last: int) -> Tensor:
        streams, stack, _, channels = self._shape
        tile = torch.empty(streams * stack, last - first, channels, dtype=self._dtype)
        for index, rows in enumerate(tile):
            _read_all(self._file.fileno(), memoryview(rows.numpy()).cast("B"), self._offset(index, first))
        return tile.view(streams, stack, last - first, channels).to(self._device)

    def write(self, first: int, last: int, tile: Tensor) -> None:
        rows_of = tile.to("cpu").contiguous().flatten(0, 1)

        def write() -> None:
            for index, rows in enumerate(rows_of):
                _write_all(self._file.fileno(), memoryview(rows.numpy()).cast("B"), self._offset(index, first))

        self._kept(write)

    def _opened(self) -> IO[bytes]:
        file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115  it lives as long as these features
        # A disk that is full is an error now, not hours on.
        if hasattr(os, "posix_fallocate") and self._size:
            os.posix_fallocate(file.fileno(), 0, self._size)
        return file

    def _offset(self, index: int, first: int) -> int:
        return (index * self._shape[2] + first) * self._row

    def _kept(self, work: Callable[[], Result]) -> Result:
        try:
            return work()
        except OSError as error:
            raise FeatureFileError(self._folder, self._size, error) from error


def _read_all(file: int, into: memoryview, at: int) -> None:
    done = 0
    while done < len(into):
        count = os.preadv(file, [into[done:]], at + done)
        if count == 0:
            raise EOFError("features end before they were all read")
        done += count


def _write_all(file: int, data: memoryview, at: int) -> None:
    done = 0
    while done < len(data):
        done += os.pwrite(file, data[done:], at + done)
