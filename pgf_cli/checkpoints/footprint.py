"""How much memory a model takes, asked of the model itself: nothing here knows what it is made of."""

import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, UntypedStorage
from torch.utils._python_dispatch import TorchDispatchMode

from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.directions import Contrast
from pgf_cli.core.models import SequenceModel, StreamingModel, TwoDirectionModel
from pgf_cli.core.models.protocol import State
from pgf_cli.core.objectives import SumOutputs
from pgf_cli.core.one_hot import X_COLUMNS
from pgf_cli.core.sweeps import FeatureSpace, leaves
from pgf_cli.core.sweeps.adjoint import adjoint_sweep
from pgf_cli.core.sweeps.snapshots import make_schedule
from pgf_cli.core.sweeps.tangent import response, tangent_sweep
from pgf_cli.core.sweeps.two_direction_adjoint import WORKING
from pgf_cli.core.threads import single_threaded

_NO_MEMORY = FeatureSpace(0)
"""Features are counted by themselves."""
_PROBES = (64, 128)
"""Tiles that are swept to learn what a base of a tile costs."""


def state_bytes(model: SequenceModel) -> tuple[int, int]:
    """Return the bytes that pass from tile to tile: of the state, and of its tangent along one direction.

    Of a model that reads in both directions: of one layer's passes.
    """
    if isinstance(model, TwoDirectionModel):
        size = _total(leaves(layer_states(model)))
        return size, size
    assert isinstance(model, StreamingModel)
    first = torch.zeros(model.lookahead, X_COLUMNS, dtype=model.dtype, device=model.device)
    with torch.no_grad():
        state, state_dot = model.initial_jvp(first, first[None])
    return _total(_tensors(state)), _total(_tensors(state_dot))


def storage_bytes(tensors: Iterable[Tensor]) -> int:
    """Return the bytes behind tensors; memory that several of them share counts once."""
    return sum({tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}.values())


def tangent_bytes(model: SequenceModel, tile: int) -> int:
    """Estimate what a tangent sweep along the contrast, with its ghosts, holds at its height, weights left out.

    Small tiles are swept and what they hold is counted; as every activation has a row a base, a straight line leads
    from there to any tile.

    Args:
        model: on the CPU.
        tile: bases per tile.
    """

    def sweep(codes: BaseCodes, tile: int) -> None:
        distance = None if isinstance(model, TwoDirectionModel) else max(tile, model.lookahead)
        for part in tangent_sweep(
            model, codes, Contrast(), end=len(codes), tile=tile, ghost_distance=distance, space=_NO_MEMORY
        ):
            response(part.y_dot)

    return _at_tile(model, sweep, tile)


def adjoint_bytes(model: SequenceModel, tile: int) -> int:
    """Estimate what an adjoint sweep holds at its height, weights and snapshots left out; as ``tangent_bytes``."""

    # What an objective weighs does not change what its sweep holds.
    objective = SumOutputs(None, _channels(model), model.dtype, model.device)

    def sweep(codes: BaseCodes, tile: int) -> None:
        for _ in adjoint_sweep(model, codes, objective, end=len(codes), tile=tile, space=_NO_MEMORY):
            pass

    return _at_tile(model, sweep, tile)


def feature_bytes(model: SequenceModel, length: int) -> tuple[int, int]:
    """Return what a sweep of so many bases keeps of features, in memory or on disk: a tangent's, and an adjoint's."""
    if not isinstance(model, TwoDirectionModel):
        return 0, 0
    row = model.streams * model.features * length * model.dtype.itemsize
    # The tangent: two layers' features, each with its tangent; the adjoint: those of every layer, and its working ones.
    return 4 * row, (model.layers_count - 1 + WORKING) * row


def layer_states(model: TwoDirectionModel) -> State:
    """Return the states that the first layer's passes begin with."""
    return tuple(one.branch.mixer.initial_state() for one in model.passes(0))


def snapshot_bytes(model: SequenceModel, tile: int, length: int, budget: int) -> int:
    """Return what an adjoint sweep of so many bases keeps of states at most."""
    tiles = -(-length // tile)
    if isinstance(model, TwoDirectionModel):
        # One direction at a time.
        state = tuple(one.branch.mixer.initial_state() for one in model.passes(0) if not one.backwards)
        schedule = make_schedule(tiles, state, budget)
    else:
        assert isinstance(model, StreamingModel)
        first = torch.zeros(model.lookahead, X_COLUMNS, dtype=model.dtype, device=model.device)
        with torch.no_grad():
            schedule = make_schedule(tiles, model.initial_jvp(first, first[None][:0])[0], budget)
    return schedule.snapshots * schedule.state_bytes


def _channels(model: SequenceModel) -> int:
    with torch.no_grad():
        y = model.whole(torch.zeros(1, X_COLUMNS, dtype=model.dtype, device=model.device))
    return int(y.shape[-1])


def _at_tile(model: SequenceModel, sweep: Callable[[BaseCodes, int], None], tile: int) -> int:
    short, long = _PROBES
    low, high = _peak(model, sweep, short), _peak(model, sweep, long)
    return round(low + (high - low) / (long - short) * (tile - short))


class _LiveTensors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of tensors made while it is active, and the most that were alive at once."""

    def __init__(self, weights: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        # A transposed weight is a new tensor in old memory.
        self._known = weakref.WeakSet(tensor.untyped_storage() for tensor in weights)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            if tensor.layout == torch.strided:
                self._add_storage(tensor.untyped_storage())
            else:
                # oneDNN packs weights in a way of its own: such a tensor has no storage that can be asked for.
                self._count(tensor, tensor.numel() * tensor.element_size())
        return result

    def _add_storage(self, storage: UntypedStorage) -> None:
        if storage not in self._known:
            self._known.add(storage)
            self._count(storage, storage.nbytes())

    def _count(self, owner: Tensor | UntypedStorage, count: int) -> None:
        self.now += count
        self.peak = max(self.peak, self.now)
        weakref.finalize(owner, self._drop, count)

    def _drop(self, count: int) -> None:
        self.now -= count


def _peak(model: SequenceModel, sweep: Callable[[BaseCodes, int], None], tile: int) -> int:
    """The most bytes that a sweep of two tiles holds: in the second, the first one's state is there too."""
    live = _LiveTensors(model.parameters())
    with live, single_threaded():
        sweep((np.arange(2 * tile) % 4).astype(np.uint8), tile)
    return live.peak


def _tensors(nest: Any) -> Iterator[Tensor]:
    if isinstance(nest, Tensor):
        yield nest
    elif isinstance(nest, tuple | list):
        for part in nest:
            yield from _tensors(part)


def _total(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)
