"""A checkpoint that was read and checked, ready to become a model."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from pgf_cli.checkpoints.errors import UnsupportedArchitectureError
from pgf_cli.checkpoints.family import Family, Head, ModelConfig
from pgf_cli.checkpoints.own_family import OwnFamily
from pgf_cli.checkpoints.registry import family_of
from pgf_cli.checkpoints.safetensors_file import bytes_of
from pgf_cli.core.models import BaseIds, OutputLayer, SequenceModel
from pgf_cli.core.ops.linear import Linear
from pgf_cli.errors import UsageError
from pgf_cli.inputs import InputFile

_COLUMNS = {"A": 0, "C": 1, "G": 2, "T": 3}

C = TypeVar("C", bound=ModelConfig)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model's tensors and what is known of them."""

    path: Path
    """The file or folder that the user named."""
    inputs: tuple[InputFile, ...]
    """Every file that was read, with the hash of its bytes."""
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
    """What the file says of itself, on one line."""
    ignored: tuple[str, ...]
    """Names of tensors in the files that are no part of the model."""
    recognised_by: str = ""
    """Which fields or tensors told the layout."""
    own_family: OwnFamily | None = None
    """Set where the user named the family."""

    @property
    def family(self) -> Family[Any]:
        """The model's family."""
        return self.own_family.family if self.own_family else family_of(self.config)

    @property
    def stored_as(self) -> tuple[str, ...]:
        """Number formats of the tensors in the files: ``float16``, ..."""
        return tuple(sorted({str(tensor.dtype).removeprefix("torch.") for tensor in self.tensors.values()}))

    @property
    def architecture(self) -> str:
        """The family's name: ``mamba``, ``frechet``, ..."""
        return self.family.name

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that was read."""
        return tuple(file.path for file in self.inputs)

    @property
    def head(self) -> Head:
        """Where the language-model head is: the embedding (``tied``), its ``own``, or ``none``."""
        return self.family.head(self.config)

    @property
    def output_layers(self) -> tuple[OutputLayer, ...]:
        """What the model can be asked for, the default first."""
        return self.family.output_layers(self.config)

    @property
    def alphabet(self) -> dict[str, int]:
        """Token id by letter, or for a model without tokens its column; without N where it has no input for N."""
        if self.base_ids is None:
            return dict(_COLUMNS)
        return {letter.upper(): row for letter, row in self.base_ids._asdict().items() if row is not None}

    @cached_property
    def tensors_sha256(self) -> str:
        """One hash of family, config and every tensor's number format, shape and bytes, whatever files they lay in.

        Tensors count in the order of their names. Equal hashes are equal models, but for the alphabet.
        """
        digest = hashlib.sha256()
        digest.update(json.dumps([self.architecture, asdict(self.config)], sort_keys=True).encode())
        for name in sorted(self.tensors):
            tensor = self.tensors[name].contiguous()
            digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
            digest.update(bytes_of(tensor))
        return digest.hexdigest()

    def config_as(self, kind: type[C]) -> C:
        """Return the config of a checkpoint that must be of one family.

        Raises:
            UnsupportedArchitectureError: it is of another.
        """
        if not isinstance(self.config, kind):
            raise UnsupportedArchitectureError(
                f"{self.path} holds a {self.architecture} model, where one with a {kind.__name__} is needed."
            )
        return self.config

    def build(self, output: OutputLayer | None, dtype: torch.dtype, device: torch.device) -> SequenceModel:
        """Make the model, for inference only.

        Args:
            output: what it returns; None is ``logprobs`` with a head and ``hidden`` without.
            dtype: number format; bfloat16 is for matrix products, all else is float32 then.
            device: where its weights go.

        Raises:
            UsageError: the output needs a head and the model has none.
        """
        output = output or self.output_layers[0]
        if output not in self.output_layers:
            raise UsageError(
                f"--output-layer {output}: the model in {self.path} has no head; use --output-layer hidden."
            )
        model = self.family.empty_model(self.config, self.base_ids, output)
        halved = dtype == torch.bfloat16
        weights = {name: tensor.to(device, torch.float32 if halved else dtype) for name, tensor in self.tensors.items()}
        model.load_state_dict(weights, strict=True, assign=True)
        for module in model.modules():
            if halved and isinstance(module, Linear):
                module.weight = nn.Parameter(module.weight.to(dtype))
        return model.eval().requires_grad_(False)
