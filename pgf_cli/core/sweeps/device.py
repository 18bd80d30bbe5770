"""What passes between the host and the device that a model is on; where they are one, tensors stay where they are.

A device does what it is told some time later. So bases are sent while it computes the tile before, and results are
waited for only once the next tile has been launched: neither side stands idle for the other.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor

from pgf_cli.core.threads import flush_denormals

Result = TypeVar("Result")


class HostLink:
    """The way to a device and back, on a CUDA device each on a stream of its own beside the one that computes."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._apart = device.type == "cuda"
        if self._apart:
            self._up, self._down = (torch.cuda.Stream(device) for _ in range(2))  # type: ignore[no-untyped-call]

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Record no gradients, flush denormals to zero, and launch kernels on this device."""
        with torch.no_grad(), flush_denormals(), torch.cuda.device(self._device.index if self._apart else -1):
            yield

    def to_device(self, host: Tensor) -> Tensor:
        """Send a tensor of the host; what is launched from now on may read it."""
        if not self._apart:
            return host.to(self._device)
        computes = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._up):
            # Torch reuses pinned memory only once it was copied, so tiles that are under way have a buffer each.
            there = host.pin_memory().to(self._device, non_blocking=True)
        computes.wait_stream(self._up)
        there.record_stream(computes)
        return there

    def to_host(self, *tensors: Tensor) -> Callable[[], tuple[Tensor, ...]]:
        """Send for tensors that nobody will write to; return what waits for them and returns them."""
        if not self._apart:
            return lambda: tensors
        self._down.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._down):
            # To the host and non-blocking is into pinned memory.
            here = tuple(tensor.to("cpu", non_blocking=True) for tensor in tensors)
            arrived = self._down.record_event()
        for tensor in tensors:
            tensor.record_stream(self._down)

        def wait() -> tuple[Tensor, ...]:
            arrived.synchronize()
            return here

        return wait

    def finished(self, launches: Iterable[Callable[[], Result]]) -> Iterator[Result]:
        """Yield what each launched tile returns: at once where the host computes it, else one tile behind."""
        return one_behind(launches) if self._apart else (finish() for finish in launches)


def one_behind(launches: Iterable[Callable[[], Result]]) -> Iterator[Result]:
    """Yield what each of the callables returns, in order, calling it only after the next one was asked for."""
    waiting: Callable[[], Result] | None = None
    for finish in launches:
        if waiting is not None:
            yield waiting()
        waiting = finish
    if waiting is not None:
        yield waiting()
