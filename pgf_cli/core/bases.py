"""From base codes, one byte each, to a model's input."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BaseCodes = NDArray[np.uint8]
"""A = 0, C = 1, G = 2, T = 3, N = 4."""

N_CODE = 4

X_COLUMNS = 5
"""Columns of a model's input x: A, C, G, T and an indicator of N, along which no direction ever points."""


class BaseSequence(Protocol):
    """Random access to the base codes of one record: an array, or a reader that never holds the whole record."""

    def __len__(self) -> int: ...

    def __getitem__(self, positions: slice, /) -> BaseCodes: ...


def one_hot(codes: BaseCodes, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return x (T, 5): one-hot over A, C, G, T and the N indicator."""
    return one_hot_rows(torch.from_numpy(codes).to(device), dtype)


def one_hot_rows(codes: Tensor, dtype: torch.dtype) -> Tensor:
    """Return x (T, 5) on the device of the base codes (T,), one byte each."""
    return torch.eye(X_COLUMNS, dtype=dtype, device=codes.device)[codes.long()]
