"""A checkpoint that was read and checked, ready to become a model."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from pgf_cli.core.models import BaseIds, MambaConfig, MambaLM, OutputLayer
from pgf_cli.errors import UsageError


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model's tensors and what is known of them."""

    path: Path
    """The file or folder that the user named."""
    files: tuple[Path, ...]
    """Every file that was read."""
    layout: str
    """``pgf-sensitivity`` or ``Hugging Face``."""
    architecture: str
    config: MambaConfig
    tensors: dict[str, Tensor] = field(repr=False)
    """By the names of ``MambaLM.state_dict()``, on the CPU, in the number format of the file."""
    base_ids: BaseIds
    alphabet_source: str
    """Where ``base_ids`` come from, for people: a tokenizer's file, ``config`` or ``--alphabet``."""
    note: str | None
    """What the file says of itself."""
    ignored: tuple[str, ...]
    """Names of tensors in the files that are no part of the model."""

    def build(self, output: OutputLayer | None, dtype: torch.dtype, device: torch.device) -> MambaLM:
        """Make the model, for inference only.

        Args:
            output: what it returns; None is ``logprobs`` with a head and ``hidden`` without.
            dtype: number format of its weights.
            device: where its weights go.

        Raises:
            UsageError: the output needs a head and the model has none.
        """
        output = output or ("logprobs" if self.config.head else "hidden")
        if output != "hidden" and not self.config.head:
            raise UsageError(
                f"--output-layer {output}: the model in {self.path} has no head; use --output-layer hidden."
            )
        with torch.device("meta"):
            model = MambaLM(self.config, self.base_ids, output)
        weights = {name: tensor.to(device, dtype) for name, tensor in self.tensors.items()}
        model.load_state_dict(weights, strict=True, assign=True)
        return model.eval().requires_grad_(False)
