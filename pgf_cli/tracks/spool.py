"""A record's tracks on disk while they are computed, for what needs to look back or turn round."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgf_cli.tracks.disk import translate_os_errors


class TrackSpool:
    """The tracks of positions [start, end) of one record in a nameless temporary file; a context manager.

    Positions that were never written read as 0.

    Args:
        folder: where the file goes: beside the outputs, where space was checked.
        tracks: the tracks' names.
        dtype: of their values.
        start, end: the positions, 0-based half-open.
    """

    def __init__(self, folder: Path, tracks: list[str], dtype: np.dtype[Any], start: int, end: int) -> None:
        self._folder = folder
        with translate_os_errors(folder):
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed by __exit__
        self._dtype = dtype
        self._start = start
        self._length = end - start
        self._rows = {track: row for row, track in enumerate(tracks)}
        os.ftruncate(self._file.fileno(), len(tracks) * self._length * dtype.itemsize)

    def write(self, start: int, values: Mapping[str, NDArray[np.floating[Any]]]) -> None:
        """Keep the values (T,) of the positions from ``start`` on.

        Raises:
            WriteError: the disk refuses.
        """
        with translate_os_errors(self._folder):
            for track, row in values.items():
                os.pwrite(self._file.fileno(), row.astype(self._dtype, copy=False).tobytes(), self._place(track, start))

    def read(self, track: str, start: int, end: int) -> NDArray[np.floating[Any]]:
        """Return a track's values at [start, end)."""
        data = os.pread(self._file.fileno(), (end - start) * self._dtype.itemsize, self._place(track, start))
        return np.frombuffer(data, dtype=self._dtype)

    def _place(self, track: str, position: int) -> int:
        return (self._rows[track] * self._length + position - self._start) * self._dtype.itemsize

    def __enter__(self) -> "TrackSpool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()
