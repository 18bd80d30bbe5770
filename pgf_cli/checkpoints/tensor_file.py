"""A file of weights, whichever program wrote it: the one place that asks for its suffix."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from pgf_cli.checkpoints.errors import CheckpointError
from pgf_cli.checkpoints.safetensors_file import read_safetensors
from pgf_cli.checkpoints.torch_file import named_tensors, read_torch
from pgf_cli.inputs import Inputs

_HOLDERS = ("state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "weights")
"""Under which training programs keep the model's tensors among other things: Lightning and our own format; PyTorch's
tutorials; many; DeepSpeed; ..."""
_DEEPEST = 4
"""Dictionaries in each other that are looked into: {"model": {"state_dict": ...}}."""


class TensorFile(NamedTuple):
    """What a file of weights holds."""

    tensors: dict[str, Tensor]
    """By the names that the file gives them."""
    settings: Mapping[str, Any]
    """What it says beside them: the metadata of a safetensors file, a pickled dictionary's other entries."""
    others: tuple[str, ...]
    """Names of tensors that lie beside the model's."""


def read_tensor_file(path: Path, inputs: Inputs) -> TensorFile:
    """Read a safetensors file, told by its suffix, or what ``torch.save`` wrote.

    Raises:
        CheckpointError: it is damaged, holds no dictionary, or more than one model.
        InputError: it cannot be read.
    """
    if path.suffix == ".safetensors":
        metadata, tensors = read_safetensors(path, inputs)
        return TensorFile(tensors, metadata, ())
    content = read_torch(path, inputs)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not tensors by name; save model.state_dict().")
    return _of(content, str(path), _DEEPEST)


def _of(content: dict[str, Any], where: str, deepest: int) -> TensorFile:
    holders = [name for name in _HOLDERS if isinstance(content.get(name), dict)]
    if not holders and "state_dict" in content:
        raise CheckpointError(
            f"{where}: state_dict holds a {type(content['state_dict']).__name__}, not tensors by name; "
            "save model.state_dict()."
        )
    if len(holders) > 1:
        raise CheckpointError(
            f"{where} holds tensors under both {holders[0]} and {holders[1]}; save the model's alone, as state_dict."
        )
    if holders:
        return _beside(content, holders[0], where, deepest)
    if any(isinstance(value, Tensor) for value in content.values()):
        return TensorFile(named_tensors(content, where), {}, ())
    return TensorFile({}, content, ())


def _beside(content: dict[str, Any], holder: str, where: str, deepest: int) -> TensorFile:
    rest = {name: value for name, value in content.items() if name != holder}
    others = [str(name) for name, value in rest.items() if isinstance(value, Tensor)]
    for name, value in rest.items():
        if isinstance(value, dict):
            others += [f"{name}.{inner}" for inner, tensor in value.items() if isinstance(tensor, Tensor)]
    held, inside = content[holder], f"{where}: {holder}"
    if deepest and not any(isinstance(value, Tensor) for value in held.values()) and set(_HOLDERS) & held.keys():
        inner = _of(held, inside, deepest - 1)
        return TensorFile(inner.tensors, {**inner.settings, **rest}, (*others, *inner.others))
    return TensorFile(named_tensors(held, inside), rest, tuple(others))
