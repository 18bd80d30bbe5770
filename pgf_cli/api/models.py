"""Models for a notebook: any checkpoint, loaded once, swept as often as you like."""

import os
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch

from pgf_cli.api.arguments import speaking_of_arguments
from pgf_cli.checkpoints import Checkpoint, read_checkpoint
from pgf_cli.checkpoints.family import Family
from pgf_cli.core.choices import Dtype, OutputLayer
from pgf_cli.core.devices import resolve_device
from pgf_cli.core.models import SequenceModel, StreamingModel


class Model:
    """A model that `load_model` returned.

    Attributes:
        checkpoint: what was read: family, sizes, alphabet, ignored tensors.
        dtype: number format of its arithmetic, and of what is computed with it.
        device: where it computes.
        output_layer: what is differentiated: ``logprobs``, ``logits`` or ``hidden``.
    """

    def __init__(
        self, checkpoint: Checkpoint, dtype: Dtype, device: torch.device, output_layer: OutputLayer | None
    ) -> None:
        self.checkpoint, self.dtype, self.device = checkpoint, dtype, device
        self._asked = output_layer
        self._build = lru_cache(2)(self._built)
        self.output_layer: OutputLayer = self.streaming.output

    @cached_property
    def streaming(self) -> SequenceModel:
        """The model as sweeps take it."""
        return self.with_output(self._asked)

    def with_output(self, output_layer: OutputLayer | None) -> SequenceModel:
        """Return the model as sweeps take it, with another output.

        Raises:
            UsageError: the output needs a head and the model has none.
        """
        return self._build(output_layer)

    def _built(self, output_layer: OutputLayer | None) -> SequenceModel:
        return self.checkpoint.build(output_layer, getattr(torch, self.dtype), self.device)

    def __repr__(self) -> str:
        parameters = sum(parameter.numel() for parameter in self.streaming.parameters())
        return (
            f"<{self.checkpoint.architecture}, {parameters:,} parameters, {self.output_layer} in {self.dtype} on "
            f"{self.device}, from {self.checkpoint.path}>"
        )


def load_model(
    path: str | os.PathLike[str],
    *,
    dtype: Dtype = "float32",
    device: str = "auto",
    alphabet: str | None = None,
    output_layer: OutputLayer | None = None,
    model_family: str | type[StreamingModel] | Family[Any] | None = None,
) -> Model:
    """Load a checkpoint of any layout that the tool reads.

    Args:
        path: checkpoint file or folder.
        dtype: ``float32``, ``float64``, or ``bfloat16`` (matrix products only).
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:I``.
        alphabet: token ids of the bases, as in ``"A=7,C=8,G=9,T=10,N=11"``; None: from the checkpoint.
        output_layer: ``logprobs`` (nats; default with a head), ``logits``, or ``hidden`` (default without).
        model_family: a family that you wrote, instead of those that are known: a subclass of ``StreamingModel``, a
            ``Family``, or its name as ``"package.module:Class"``; see docs/own-family.md.

    Raises:
        PgfError: the checkpoint cannot be read or is no model that the tool knows, or there is no such device.

    Example:
        >>> import pgf_cli
        >>> model = pgf_cli.load_model(pgf_cli.sample_data() / "mamba_arabidopsis.safetensors")
        >>> model.output_layer
        'logprobs'
    """
    with speaking_of_arguments():
        return Model(read_checkpoint(Path(path), alphabet, model_family), dtype, resolve_device(device), output_layer)
