"""Scored bases gathered into blocks of fixed size, so that a file does not depend on how tiles are cut."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgf_cli.tracks.tile import NonFiniteScoreError, ScoredTile

BLOCK_ROWS = 65_536


class ScoredRows(NamedTuple):
    """Scored bases of one record: 0-based starts (n,), base codes (n,), and values (n,) for each track."""

    contig: str
    starts: NDArray[np.int64]
    bases: NDArray[np.uint8]
    values: dict[str, NDArray[np.floating[Any]]]

    def part(self, rows: slice) -> "ScoredRows":
        """Some of the rows."""
        values = {track: values[rows] for track, values in self.values.items()}
        return ScoredRows(self.contig, self.starts[rows], self.bases[rows], values)


class RowBuffer:
    """Turns tiles into blocks of 65,536 scored rows (a record's last one is shorter) and hands them to `sink`.

    Args:
        tracks: the tracks to keep, in this order.
        sink: called with each block, in order.
    """

    def __init__(self, tracks: Sequence[str], sink: Callable[[ScoredRows], None]) -> None:
        self._tracks = tracks
        self._sink = sink
        self._pending: list[ScoredRows] = []
        self._count = 0

    def add(self, tile: ScoredTile) -> None:
        """Take a tile.

        Raises:
            NonFiniteScoreError: a scored base has a NaN or infinite value; nothing of the tile is taken.
        """
        if self._pending and self._pending[0].contig != tile.contig:
            self.flush()
        rows = _scored_rows(tile, self._tracks)
        self._pending.append(rows)
        self._count += len(rows.starts)
        if self._count >= BLOCK_ROWS:
            self._drain()

    def flush(self) -> None:
        """Hand over what is left."""
        self._drain()
        if self._count:
            self._sink(self._pending[0])
        self._pending, self._count = [], 0

    def _drain(self) -> None:
        """Hand over every whole block."""
        if not self._pending:
            return
        rows = _joined(self._pending)
        whole = self._count - self._count % BLOCK_ROWS
        for first in range(0, whole, BLOCK_ROWS):
            self._sink(rows.part(slice(first, first + BLOCK_ROWS)))
        self._pending = [rows.part(slice(whole, None))]
        self._count -= whole


def _scored_rows(tile: ScoredTile, tracks: Sequence[str]) -> ScoredRows:
    offsets = np.flatnonzero(tile.scored)
    values = {track: tile.values[track][offsets] for track in tracks}
    for track, scores in values.items():
        wrong = np.flatnonzero(~np.isfinite(scores))
        if len(wrong):
            start = tile.start + int(offsets[wrong[0]])
            raise NonFiniteScoreError(tile.contig, start, track, float(scores[wrong[0]]))
    return ScoredRows(tile.contig, tile.start + offsets, tile.bases[offsets], values)


def _joined(pieces: Sequence[ScoredRows]) -> ScoredRows:
    values = {track: np.concatenate([piece.values[track] for piece in pieces]) for track in pieces[0].values}
    starts = np.concatenate([piece.starts for piece in pieces])
    return ScoredRows(pieces[0].contig, starts, np.concatenate([piece.bases for piece in pieces]), values)
