"""What a CUDA graph can record: a family's own formulas, if they neither wait for the device nor copy to it.

Seen without a device: on the meta device the same torch functions are called. An index that is a list is a copy from
the host to the device and waits for it.
"""

import pytest
import torch
from torch.overrides import TorchFunctionMode

from pgf_cli.core.models.frechet import FrechetConfig, FrechetModel

WAITS = {"tensor", "as_tensor", "from_numpy", "item", "tolist", "cpu", "numpy", "nonzero", "__bool__", "__float__"}


class Waits(TorchFunctionMode):
    """Notes the calls that would make the host wait."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        index = args[1] if name in ("__getitem__", "__setitem__") else None
        if name in WAITS or any(isinstance(part, list) for part in (index if isinstance(index, tuple) else (index,))):
            self.seen.append((name, index))
        return func(*args, **(kwargs or {}))


def waits_of(model):
    """The calls in one tile's jvp and vjp."""
    model = model.requires_grad_(False).to("meta")
    x = torch.empty(6, 5, dtype=model.dtype, device="meta")
    first = x[: model.lookahead]
    state, state_dot = model.initial_jvp(first, first[None])
    with torch.no_grad(), Waits() as waits:
        y = model.jvp(x, x[None], state, state_dot).y
        model.vjp(x, state, y, state)
    return waits.seen


@pytest.mark.parametrize("output", ["logprobs", "logits", "hidden"])
def test_a_tile_of_mamba_never_makes_the_host_wait(output, make_mamba):
    assert waits_of(make_mamba(output)) == []


@pytest.mark.parametrize("embedded", [True, False])
def test_a_tile_of_the_frechet_operator_never_makes_the_host_wait(embedded):
    assert waits_of(FrechetModel(FrechetConfig(d_model=4, d_state=3, embedded=embedded))) == []


def test_a_list_as_index_is_seen():
    with Waits() as waits:
        torch.ones(3, device="meta")[[0, 1]]
    assert waits.seen == [("__getitem__", [0, 1])]
