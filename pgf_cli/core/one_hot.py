"""From base codes, one byte each, to a model's input."""

import torch
from torch import Tensor

from pgf_cli.core.bases import LETTERS, BaseCodes

X_COLUMNS = len(LETTERS)
"""Columns of a model's input x: A, C, G, T and an indicator of N, along which no direction ever points."""


def one_hot(codes: BaseCodes, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return x (T, 5): one-hot over A, C, G, T and the N indicator."""
    return one_hot_rows(torch.from_numpy(codes).to(device), dtype)


def one_hot_rows(codes: Tensor, dtype: torch.dtype) -> Tensor:
    """Return x (T, 5) on the device of the base codes (T,), one byte each."""
    return torch.eye(X_COLUMNS, dtype=dtype, device=codes.device)[codes.long()]
