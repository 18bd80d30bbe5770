"""Bits per base: how well a model predicts a sequence."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pgf_cli.core.bases import BaseSequence
from pgf_cli.core.models import StreamingModel
from pgf_cli.core.sweeps import tangent_sweep
from pgf_cli.genome import N_CODE


class Score(NamedTuple):
    """How well bases were predicted; scores of several sequences add up with `+`."""

    nats: float = 0.0
    """Minus the sum of the natural logarithms of their probabilities."""
    predicted: int = 0
    """How many there were: neither N nor the first of their sequence."""

    # Totals add up field by field; nobody concatenates scores as tuples.
    def __add__(self, other: tuple[float, ...]) -> "Score":  # type: ignore[override]
        nats, predicted = other
        return Score(self.nats + nats, self.predicted + int(predicted))

    @property
    def bits(self) -> float:
        """Bits per base; NaN where nothing was predicted."""
        return self.nats / self.predicted / math.log(2) if self.predicted else math.nan


class _Still:
    """No direction at all: the sweep carries the primal alone."""

    count = 0
    begins = 1 << 62

    def tangents(self, start: int, x: Tensor) -> Tensor:
        """Return v (0, T, 5)."""
        return x.new_zeros(0, *x.shape)


def score_sequence(
    model: StreamingModel,
    sequence: BaseSequence,
    start: int,
    end: int,
    tile: int,
    advance: Callable[[int], None] = lambda bases: None,
) -> Score:
    """Predict the bases [start, end) of a sequence, each from those before it from ``start`` on.

    Args:
        model: a causal language model whose output is ``logprobs``.
        sequence: base codes.
        start: 0-based; to the model the sequence begins here, so this base is not predicted.
        end: one past the last base.
        tile: bases per tile; memory grows with it.
        advance: told how many bases were read, tile by tile.
    """
    total = Score()
    last_row: Tensor | None = None
    for tile_read in tangent_sweep(model, sequence, _Still(), start=start, end=end, tile=tile):
        rows = tile_read.y if last_row is None else torch.cat([last_row, tile_read.y])
        labels = tile_read.bases if last_row is not None else tile_read.bases[1:]
        kept = np.flatnonzero(labels != N_CODE)
        chosen = rows[torch.from_numpy(kept), torch.from_numpy(labels[kept].astype(np.int64))]
        total += Score(-float(chosen.to(torch.float64).sum()), len(kept))
        last_row = tile_read.y[-1:].clone()
        advance(len(tile_read.bases))
    return total
