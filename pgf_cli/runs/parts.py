"""A part: the raw values of one kind of sweep over one segment, and what is needed to go on from where it stopped.

Two files: NAME.values holds columns of numbers and nothing else; NAME.state, a safetensors file, says how far they go,
with the state at that edge and a receipt. The values are on the disk before the state that vouches for them is renamed
into place, so whatever moment a machine dies at, a state on the disk is true.
"""

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pgf_cli.atomic import write_atomically
from pgf_cli.runs.groups import Layout
from pgf_cli.tracks.disk import read_at, translate_os_errors, write_at
from pgf_cli.tracks.durable import allocate

Sums = dict[str, float]
"""Of a pass, by name, each summed in float64."""


@dataclass
class Reached:
    """How far a part goes, and the sums up to there."""

    complete: bool = False
    member: int = 0
    """The pass of the group that comes next or is under way."""
    position: int | None = None
    """The edge reached in it; None before it began."""
    finished: list[Sums] = field(default_factory=list)
    """The sums of every pass of the group that is done."""
    sums: Sums = field(default_factory=dict)
    """Those of the pass under way."""


class Part:
    """One part in a run's folder.

    Args:
        folder: the run's.
        name: tells it from the folder's others.
        columns: names of its columns.
        dtype: of their numbers.
        layout: the positions that it holds.
        receipt: of everything that decides its values; a part on the disk with another one is not this one.
    """

    def __init__(
        self, folder: Path, name: str, columns: Sequence[str], dtype: np.dtype[Any], layout: Layout, receipt: str
    ) -> None:
        self.name = name
        self._folder, self._dtype, self._layout, self._receipt = folder, dtype, layout, receipt
        self._columns = {column: row for row, column in enumerate(columns)}
        self._values, self._state = folder / f"{name}.values", folder / f"{name}.state"
        self._file: int | None = None

    @property
    def _size(self) -> int:
        return len(self._columns) * self._layout.size * self._dtype.itemsize

    def load(self) -> tuple[Reached, dict[str, Tensor]]:
        """Return how far it goes and the tensors at that edge; nothing at all where no part with this receipt is there.

        A part that is damaged counts as not there: it is computed again.
        """
        with contextlib.suppress(SafetensorError, OSError, ValueError, TypeError, KeyError):
            with safe_open(self._state, framework="pt", device="cpu") as file:
                kept = json.loads((file.metadata() or {})["part"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
            if kept.pop("receipt") == self._receipt and self._values.stat().st_size == self._size:
                return Reached(**kept), tensors
        return Reached(), {}

    def open(self) -> None:
        """Open it for writing; its space on the disk is claimed now.

        Raises:
            WriteError: there is no space.
        """
        with translate_os_errors(self._values):
            self._file = os.open(self._values, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            allocate(self._file, self._size)

    def write(self, member: int, start: int, values: Mapping[str, NDArray[np.floating[Any]]]) -> None:
        """Write columns (n,) of consecutive positions that are all written ones.

        Raises:
            WriteError: the disk refuses.
        """
        place = self._layout.place(member, start)
        with translate_os_errors(self._values):
            for column, row in values.items():
                data = np.ascontiguousarray(row, dtype=self._dtype)
                write_at(self._handle(), data.data, self._offset(column, place))

    def read(self, column: str, member: int, start: int, end: int) -> NDArray[np.floating[Any]]:
        """Return a column at consecutive written positions [start, end)."""
        count = (end - start) * self._dtype.itemsize
        with translate_os_errors(self._values):
            data = read_at(self._handle(), count, self._offset(column, self._layout.place(member, start)))
        return np.frombuffer(data, dtype=self._dtype)

    def save(self, reached: Reached, tensors: Mapping[str, Tensor]) -> None:
        """Put on the disk what was written, and then how far it goes.

        Raises:
            WriteError: the disk refuses.
        """
        metadata = {"part": json.dumps({"receipt": self._receipt, **asdict(reached)})}
        # A view would drag its whole storage along, and the format has no strides.
        content = safetensors.torch.save(
            {
                name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
                for name, tensor in tensors.items()
            },
            metadata,
        )
        with translate_os_errors(self._values):
            os.fsync(self._handle())
        with translate_os_errors(self._state):
            write_atomically(self._state, lambda file: file.write(content))

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _handle(self) -> int:
        if self._file is None:
            self._file = os.open(self._values, os.O_RDWR | os.O_CLOEXEC)
        return self._file

    def _offset(self, column: str, place: int) -> int:
        return (self._columns[column] * self._layout.size + place) * self._dtype.itemsize
