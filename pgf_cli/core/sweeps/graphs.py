"""A tile's kernels on a CUDA device, recorded as a graph and replayed: hundreds of launches become one.

A graph is bound to the sizes and addresses that it was recorded with. So there is one for each set of shapes that
occurs often enough, in practice that of a full tile and that of a ghost block's last one; others are launched as usual.

Source: torch's documentation, "CUDA graphs".
"""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from pgf_cli.core.models.protocol import State, StreamingModel, TileAdjoint, TileDual, map_state
from pgf_cli.core.sweeps.snapshots import leaves

RUNS_BEFORE_RECORDING = 8
"""Shapes that occur less often are not worth recording; by then kernels are compiled and libraries are loaded."""
_WARM_UPS = 3

Launch = Callable[[], State]
Recorder = Callable[[Launch], tuple[Callable[[], None], State]]


def replayed_jvp(model: StreamingModel) -> Callable[..., TileDual]:
    """Return ``model.jvp``, replayed from graphs where it can be."""
    return Replayed(model.jvp, record) if _can_be_recorded(model, "jvp") else model.jvp


def replayed_vjp(model: StreamingModel, *, parameters: bool) -> Callable[..., TileAdjoint]:
    """Return ``model.vjp``, with or without the gradients of the parameters, replayed from graphs where it can be."""
    if parameters or not _can_be_recorded(model, "vjp"):
        return partial(model.vjp, parameters=parameters)
    replayed = Replayed(lambda *inputs: model.vjp(*inputs)[:3], record)

    def pull_back(*inputs: State) -> TileAdjoint:
        y, x_bar, state_bar = replayed(*inputs)
        return TileAdjoint(y, x_bar, state_bar, None)

    return pull_back


def _can_be_recorded(model: StreamingModel, verb: str) -> bool:
    """On a CUDA device, by the family's own formulas: what ``torch.func`` derives may make the host wait."""
    return model.device.type == "cuda" and model.has_own(verb)


def record(launch: Launch) -> tuple[Callable[[], None], State]:
    """Record the kernels that a function launches; return what launches them again, and the tensors they fill.

    The function must not make the host wait for the device, nor copy from the host's memory.
    """
    beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(_WARM_UPS):
            launch()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=beside):
        filled = launch()
    return graph.replay, filled


class Replayed:
    """A function of nests of tensors, recorded for each set of their shapes once it has occurred a few times.

    Args:
        function: maps nests of tensors to a nest of tensors, launching the same kernels for the same shapes.
        recorder: as ``record``.
    """

    def __init__(self, function: Callable[..., Any], recorder: Recorder) -> None:
        self._function, self._recorder = function, recorder
        self._runs: Counter[tuple[torch.Size, ...]] = Counter()
        self._recordings: dict[tuple[torch.Size, ...], _Recording] = {}

    def __call__(self, *inputs: State) -> Any:
        """Call the function or replay it; the result is the caller's own either way."""
        shapes = tuple(leaf.shape for leaf in leaves(inputs))
        if shapes not in self._recordings:
            self._runs[shapes] += 1
            if self._runs[shapes] <= RUNS_BEFORE_RECORDING:
                return self._function(*inputs)
            self._recordings[shapes] = _Recording(self._function, inputs, self._recorder)
        return self._recordings[shapes](inputs)


class _Recording:
    """One graph, the tensors that it reads and those that it fills."""

    def __init__(self, function: Callable[..., Any], inputs: tuple[State, ...], recorder: Recorder) -> None:
        self._reads = map_state(torch.clone, inputs)
        self._replay, self._fills = recorder(partial(function, *self._reads))

    def __call__(self, inputs: tuple[State, ...]) -> State:
        _copy(inputs, self._reads)
        self._replay()
        # The next replay fills the same memory, perhaps while these are still on their way to the host.
        results = map_state(torch.empty_like, self._fills)
        _copy(self._fills, results)
        return results


def _copy(source: State, target: State) -> None:
    """Copy all tensors of a nest, in few launches."""
    torch._foreach_copy_(leaves(target), leaves(source))
