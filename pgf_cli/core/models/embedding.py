"""Embeddings and their rows."""

from typing import NewType

import torch
from torch import nn

TokenId = NewType("TokenId", int)
"""A row of the embedding; -1: there is no such token."""

Count = NewType("Count", int)
"""How many there are of something that a model may do without: 0 or more."""

NONE = Count(0)

UNSAID = {"unsaid": True}
"""Of a config's field: a saved config says it only where it is not the default, as files of earlier versions do not."""


def standard_normal_embedding(rows: int, channels: int) -> nn.Embedding:
    """Return an embedding with standard normal weights, or with none at all on the meta device.

    torch's own constructor would import its compiler there, which takes longer than a short run, to draw nothing.
    """
    weight = torch.empty(rows, channels)
    if not weight.is_meta:
        weight.normal_()
    return nn.Embedding(rows, channels, _weight=weight)
