"""Models that read a sequence in both directions in every layer.

A layer takes features r (S, L, D) of S streams (one for each strand that the model reads) to

    r' = carry(r),    r'_s + sum over the layer's passes of stream s of M(r'_s), some from left to right, some reversed

where M is a branch, a norm and a mixer that hands a state from tile to tile. So each pass streams, and the whole model
is exact a layer at a time (``core.sweeps.two_direction``), though no tile's output is known before all tiles were read.
"""

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from pgf_cli.core.models.branch import Branch
from pgf_cli.core.models.head import Head
from pgf_cli.core.models.norms import Norm
from pgf_cli.core.models.protocol import SequenceModel


class Pass(NamedTuple):
    """One reading of a stream in a layer."""

    stream: int
    backwards: bool
    """Whether it reads from right to left."""
    branch: Branch


class TwoDirectionModel(SequenceModel):
    """A model of layers that read in both directions.

    A family says how bases become features, what a layer carries and which passes it makes, and how features become an
    output: everything but the passes acts on each position by itself.
    """

    streams: int
    """S: how many strands are read side by side."""
    features: int
    """D, of each stream."""
    layers_count: int

    @property
    @abstractmethod
    def final_norm(self) -> Norm:
        """The norm before the head, of each stream."""

    @property
    def has_mask(self) -> bool:
        """Whether bases can be read as [MASK]."""
        return False

    @abstractmethod
    def base_rows(self) -> Tensor:
        """Return what A, C, G, T and N are read as, (S, 5, D)."""

    def mask_rows(self) -> Tensor:
        """Return what [MASK] is read as, (S, D).

        Raises:
            NotImplementedError: the model has no mask.
        """
        raise NotImplementedError

    @abstractmethod
    def passes(self, layer: int) -> tuple[Pass, ...]:
        """Return what a layer reads."""

    def carry(self, layer: int, r: Tensor) -> Tensor:
        """Return r' for features (S, ..., D): a permutation that is its own inverse, so its own adjoint, too."""
        return r

    def joined(self, hidden: Tensor) -> Tensor:
        """Return the streams of normalised features (S, ..., D) side by side, (..., S D)."""
        return torch.cat(list(hidden), dim=-1)

    def parted(self, joined_bar: Tensor) -> Tensor:
        """Return the adjoint (S, ..., D) of ``joined`` for that of its result (..., S D)."""
        return torch.stack(torch.split(joined_bar, self.features, dim=-1))

    @property
    @abstractmethod
    def head(self) -> Head:
        """From joined features to the output."""

    def whole(self, x: Tensor) -> Tensor:
        """Map a whole sequence x (L, 5) to y (L, C): the definition, in differentiable torch."""
        r = x @ self.base_rows()
        for layer in range(self.layers_count):
            carried = self.carry(layer, r)
            added = [torch.zeros_like(stream) for stream in carried]
            for stream, backwards, branch in self.passes(layer):
                read = carried[stream].flip(0) if backwards else carried[stream]
                out, _ = branch.forward(read, branch.mixer.initial_state())
                added[stream] = added[stream] + (out.flip(0) if backwards else out)
            r = carried + torch.stack(added)
        return self.head.forward(self.joined(self.final_norm(r)))
