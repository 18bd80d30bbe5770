"""Snapshots of a sweep's state, and the schedule by which few of them let it be walked from right to left.

With s snapshots, C(s + r, s) tiles can be walked back while none is read forwards more than r times (besides once more
when it is differentiated): s + 1 tiles without a second forward sweep, (s + 1)(s + 2) / 2 with at most one more, and
so on. No schedule needs fewer forward tiles.

Source: Griewank & Walther 2000, "Algorithm 799: revolve", propositions 1 and 2.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import IO, NamedTuple, Protocol

import torch
from torch import Tensor

from pgf_cli.core.models.protocol import State, map_state
from pgf_cli.errors import PgfError


class SnapshotBudgetError(PgfError, ValueError):
    """The budget does not hold the two states that walking back needs at least."""

    def __init__(self, budget: int, state_bytes: int) -> None:
        super().__init__(
            f"A snapshot budget of {budget:,} bytes is too small for this model, whose state is {state_bytes:,} bytes: "
            f"give it at least {2 * state_bytes:,} bytes, better a hundred times as much."
        )


class SnapshotFileError(PgfError, OSError):
    """Snapshots could not be written to disk."""

    def __init__(self, folder: Path, state_bytes: int, why: OSError) -> None:
        super().__init__(
            f"Cannot keep snapshots of {state_bytes:,} bytes in {folder}: {why.strerror or why}. "
            "Choose another folder or a smaller snapshot budget."
        )


@dataclass(frozen=True)
class Schedule:
    """How a sweep is walked back."""

    tiles: int
    snapshots: int
    """States kept at most at any one time."""
    state_bytes: int
    """Bytes of one state."""
    extra_tiles: int
    """Tiles read forwards beyond the first forward sweep, their differentiation not counted."""


class SnapshotSpace(NamedTuple):
    """Where snapshots may be kept."""

    budget: int
    """Bytes at most."""
    folder: Path | None = None
    """Where a nameless file of them is; None: memory."""


class Store(Protocol):
    """States by slot number; a slot may be written again."""

    def put(self, slot: int, state: State) -> None:
        """Keep a state."""
        ...

    def get(self, slot: int) -> State:
        """Return the state kept last in this slot."""
        ...


def leaves(state: State) -> list[Tensor]:
    """Return the tensors of a state, in order."""
    return [state] if isinstance(state, Tensor) else [leaf for part in state for leaf in leaves(part)]


def make_schedule(tiles: int, initial: State, budget: int) -> Schedule:
    """Plan to walk back over ``tiles`` tiles with snapshots of at most ``budget`` bytes.

    Raises:
        SnapshotBudgetError: the budget holds fewer than two states.
    """
    state_bytes = sum(leaf.numel() * leaf.element_size() for leaf in leaves(initial))
    slots = max(1, min(tiles - 1, budget // max(1, state_bytes)))
    if slots < 2 < tiles:
        raise SnapshotBudgetError(budget, state_bytes)
    return schedule_of(tiles, slots, state_bytes)


def schedule_of(tiles: int, slots: int, state_bytes: int) -> Schedule:
    """Return the schedule that walks back over ``tiles`` tiles with ``slots`` snapshots of so many bytes."""
    repeats = _repeats(tiles, slots)
    forward = repeats * tiles - comb(slots + repeats, slots + 1)
    return Schedule(tiles, slots, state_bytes, max(0, forward - (tiles - 1)))


def walk_back(
    schedule: Schedule, initial: State, advance: Callable[[int, State], State], store: Store
) -> Iterator[tuple[int, State]]:
    """Yield (tile, the state before it) from the last tile to the first.

    Args:
        schedule: from ``make_schedule``.
        initial: the state before tile 0.
        advance: maps a tile and the state before it to the state after it.
        store: keeps ``schedule.snapshots`` states.
    """
    kept = [0]
    store.put(0, initial)
    for last in reversed(range(schedule.tiles)):
        at, state = kept[-1], store.get(len(kept) - 1)
        while at < last:
            goal = at + _stride(last + 1 - at, schedule.snapshots - len(kept) + 1)
            for tile in range(at, goal):
                state = advance(tile, state)
            at = goal
            if at < last:
                store.put(len(kept), state)
                kept.append(at)
        yield last, state
        if kept[-1] == last:
            kept.pop()


def _repeats(tiles: int, slots: int) -> int:
    """How often some tile must be read forwards to walk back over ``tiles``."""
    repeats = 0
    while comb(slots + repeats, slots) < tiles:
        repeats += 1
    return repeats


def _stride(tiles: int, slots: int) -> int:
    """How far to go from a kept state, one of ``slots``, before keeping the next, with ``tiles`` >= 2 to walk back."""
    repeats = _repeats(tiles, slots)
    return min(comb(slots + repeats - 1, slots), tiles - comb(slots + repeats - 2, slots - 1))


@contextmanager
def open_store(folder: Path | None, initial: State, schedule: Schedule) -> Iterator[Store]:
    """Open a store in memory, or in one nameless file in ``folder`` that is gone when the store is closed.

    Raises:
        SnapshotFileError: the file cannot be made; from ``put``, the disk is full.
    """
    if folder is None:
        yield _MemoryStore(initial, schedule.snapshots)
        return
    try:
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  a failure to open is reported, one of the caller not
    except OSError as error:
        raise SnapshotFileError(folder, schedule.state_bytes, error) from error
    with file:
        yield _FileStore(file, folder, initial, schedule.state_bytes)


class _MemoryStore:
    """One block of memory for all slots: many small tensors among a sweep's large ones fragment the heap."""

    def __init__(self, like: State, slots: int) -> None:
        self._slots = map_state(lambda leaf: leaf.new_empty(slots, *leaf.shape), like)

    def put(self, slot: int, state: State) -> None:
        for block, leaf in zip(leaves(self._slots), leaves(state), strict=True):
            block[slot] = leaf

    def get(self, slot: int) -> State:
        return map_state(lambda block: block[slot].clone(), self._slots)


class _FileStore:
    def __init__(self, file: IO[bytes], folder: Path, like: State, state_bytes: int) -> None:
        self._file, self._folder, self._like, self._bytes = file, folder, like, state_bytes

    def put(self, slot: int, state: State) -> None:
        try:
            self._file.seek(slot * self._bytes)
            for leaf in leaves(state):
                self._file.write(leaf.cpu().contiguous().numpy().tobytes())
            self._file.flush()
        except OSError as error:
            raise SnapshotFileError(self._folder, self._bytes, error) from error

    def get(self, slot: int) -> State:
        self._file.seek(slot * self._bytes)

        def read(leaf: Tensor) -> Tensor:
            data = bytearray(self._file.read(leaf.numel() * leaf.element_size()))
            return torch.frombuffer(data, dtype=leaf.dtype).view(leaf.shape).to(leaf.device)

        return map_state(read, self._like)
