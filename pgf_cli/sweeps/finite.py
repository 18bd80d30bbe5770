"""Where a number is not finite: the base, and the layer that it came from."""

import numpy as np
import torch
from torch import Tensor

from pgf_cli.core.bases import N_CODE, BaseCodes
from pgf_cli.core.models.protocol import State
from pgf_cli.core.sweeps import leaves
from pgf_cli.errors import PgfError
from pgf_cli.sweeps.record import SweptRecord


class NonFiniteError(PgfError, ValueError):
    """A derivative is NaN or infinite; nothing is written with such a number in it."""

    def __init__(self, what: str, record: str, position: int, value: float, layer: str) -> None:
        super().__init__(
            f"the {what} at {record}:{position + 1} is {value}: the model overflows there, {layer}; "
            "try --dtype float64, and if that fails too, check the checkpoint with `pgf-sensitivity verify`."
        )


def check_finite(
    what: str, rows: Tensor, bases: BaseCodes, start: int, record: SweptRecord, states: tuple[State, ...], *, last: bool
) -> None:
    """Raise NonFiniteError at the first base, N apart, where a number is not finite.

    Args:
        what: what the numbers are, for people.
        rows: (..., T, C), on the host.
        bases: base codes (T,).
        start: oriented position of the first base.
        record: names the base.
        states: what passed the tile's edge; its layers are searched for the first that is not finite.
        last: search from the last layer on, as adjoints pass from it to the first.
    """
    # One pass without a copy: a sum of finite numbers that overflows is looked at again.
    if torch.isfinite(rows.sum()):
        return
    wrong = ~torch.isfinite(rows).reshape(-1, *rows.shape[-2:]).all(-1).all(0).numpy() & (bases != N_CODE)
    places = np.flatnonzero(wrong)
    if not len(places):
        return
    numbers = rows[..., int(places[0]), :].flatten()
    value = float(numbers[~torch.isfinite(numbers)][0])
    layer = _layer(states, last=last)
    raise NonFiniteError(what, record.name, record.forward(start + int(places[0])), value, layer)


def _layer(states: tuple[State, ...], *, last: bool) -> str:
    layered = [state for state in states if isinstance(state, tuple)]
    count = len(layered[0]) if layered else 0
    order = range(count)
    for index in reversed(order) if last else order:
        if not all(bool(torch.isfinite(leaf).all()) for state in layered for leaf in leaves(state[index])):
            return f"in layer {index + 1} of {count}"
    if any(not bool(torch.isfinite(leaf).all()) for state in states for leaf in leaves(state)):
        return "in its state"
    return "before its first layer" if last else "after its last layer"
