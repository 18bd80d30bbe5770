"""Which module computes an operator on a device."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from torch import Tensor


def fast_path(operator: str, tensor: Tensor) -> Any:
    """Return an operator's compiled module for the tensor's device; None where only its reference will do.

    That for CUDA devices, which not every operator has, is imported when it is needed: it needs Triton, which does not
    exist everywhere.
    """
    return _module(operator, tensor.device.type)


@cache
def _module(operator: str, device: str) -> Any:
    if device == "cpu":
        return import_module(f"{operator}.cpu")
    if device == "cuda" and find_spec("triton") and find_spec(f"{operator}.cuda"):
        return import_module(f"{operator}.cuda")
    return None
