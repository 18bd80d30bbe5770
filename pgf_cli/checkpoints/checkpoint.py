"""A checkpoint that was read and checked, ready to become a model."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from pgf_cli.checkpoints.families import ModelConfig, architecture_of, make_model, output_layers
from pgf_cli.core.models import BaseIds, OutputLayer, StreamingModel
from pgf_cli.core.ops.linear import Linear
from pgf_cli.errors import UsageError

_COLUMNS = {"A": 0, "C": 1, "G": 2, "T": 3}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model's tensors and what is known of them."""

    path: Path
    """The file or folder that the user named."""
    files: tuple[Path, ...]
    """Every file that was read."""
    layout: str
    """Whose arrangement of files and names it is: ``pgf-sensitivity``, ``Hugging Face``, ``mamba_ssm``, ..."""
    config: ModelConfig
    tensors: dict[str, Tensor] = field(repr=False)
    """By the names of the model's ``state_dict()``, on the CPU, in the number format of the file."""
    base_ids: BaseIds | None
    """Token ids of the bases; None for a model that reads the one-hot itself."""
    alphabet_source: str
    """Where the alphabet comes from, for people: a tokenizer's file, ``config``, ``--alphabet``, ..."""
    note: str | None
    """What the file says of itself."""
    ignored: tuple[str, ...]
    """Names of tensors in the files that are no part of the model."""

    @property
    def architecture(self) -> str:
        """The model's family: ``mamba`` or ``frechet``."""
        return architecture_of(self.config)

    @property
    def alphabet(self) -> dict[str, int]:
        """Token id by letter, or for a model without tokens its column; without N where it has no input for N."""
        if self.base_ids is None:
            return dict(_COLUMNS)
        return {letter.upper(): row for letter, row in self.base_ids._asdict().items() if row is not None}

    def build(self, output: OutputLayer | None, dtype: torch.dtype, device: torch.device) -> StreamingModel:
        """Make the model, for inference only.

        Args:
            output: what it returns; None is ``logprobs`` with a head and ``hidden`` without.
            dtype: number format; bfloat16 is for matrix products, all else is float32 then.
            device: where its weights go.

        Raises:
            UsageError: the output needs a head and the model has none.
        """
        available = output_layers(self.config)
        output = output or available[0]
        if output not in available:
            raise UsageError(
                f"--output-layer {output}: the model in {self.path} has no head; use --output-layer hidden."
            )
        model = make_model(self.config, self.base_ids, output)
        halved = dtype == torch.bfloat16
        weights = {name: tensor.to(device, torch.float32 if halved else dtype) for name, tensor in self.tensors.items()}
        model.load_state_dict(weights, strict=True, assign=True)
        for module in model.modules():
            if halved and isinstance(module, Linear):
                module.weight = nn.Parameter(module.weight.to(dtype))
        return model.eval().requires_grad_(False)
