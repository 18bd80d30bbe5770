"""Files to tensors, and nothing but tensors: neither format is read in a way that could run code."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pgf_cli.checkpoints.diagnosis import why_not_pickle, why_not_safetensors
from pgf_cli.checkpoints.errors import CheckpointError, TensorError


class Safetensors(NamedTuple):
    """What a safetensors file holds."""

    metadata: dict[str, str]
    tensors: dict[str, Tensor]


def read_safetensors(path: Path) -> Safetensors:
    """Read a safetensors file to the CPU.

    Raises:
        CheckpointError: the file cannot be read, is damaged, or is something else.

    Source: the safetensors format, https://huggingface.co/docs/safetensors.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            names = file.keys()
            return Safetensors(dict(file.metadata() or {}), {name: file.get_tensor(name) for name in names})
    except (SafetensorError, OSError) as error:
        raise why_not_safetensors(path, error) from error


def read_pickle(path: Path) -> object:
    """Read what ``torch.save`` wrote, to the CPU, through torch's unpickler that makes tensors and plain values only.

    Raises:
        UnsafeCheckpointError: the file asks for anything else to be made or called.
        CheckpointError: the file cannot be read, is damaged, or is something else.

    Source: ``torch.load(weights_only=True)``.
    """
    try:
        with warnings.catch_warnings():
            # Said better by the error that follows, where there is one.
            warnings.simplefilter("ignore")
            return torch.load(path, weights_only=True, map_location="cpu")
    # Bytes that are no checkpoint can end in any exception whatever; the diagnosis says which it was.
    except Exception as error:
        raise why_not_pickle(path, error) from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a file that holds tensors by name: safetensors by its suffix, else what ``torch.save`` wrote."""
    if path.suffix == ".safetensors":
        return read_safetensors(path).tensors
    return named_tensors(read_pickle(path), path)


def named_tensors(value: object, where: object) -> dict[str, Tensor]:
    """Check that a value is a state dict.

    Raises:
        CheckpointError: it is no dictionary, or an entry is not a dense tensor with a name.
    """
    if not isinstance(value, Mapping):
        raise CheckpointError(f"{where} holds a {type(value).__name__}, not tensors by name; save model.state_dict().")
    for name, tensor in value.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise TensorError(f"{where}: entry {name!r:.80} is a {type(tensor).__name__}, not a tensor with a name.")
        if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            raise TensorError(f"{where}: tensor {name} is sparse, quantised or empty of values; save it dense.")
    return {name: tensor.detach() for name, tensor in value.items()}
