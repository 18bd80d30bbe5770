"""The weights of a Hugging Face folder, in one file or in shards."""

import os
from pathlib import Path
from typing import Any

from pgf_cli.checkpoints.errors import CheckpointError, CheckpointNotFoundError, MissingTensorError, shown
from pgf_cli.checkpoints.fields import Fields, read_fields
from pgf_cli.checkpoints.layout import Weights
from pgf_cli.checkpoints.tensor_file import read_tensor_file
from pgf_cli.inputs import Inputs

# In the order in which transformers looks for them.
_INDEX = ".json"
_NAMES = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")


def read_weights(folder: Path, inputs: Inputs) -> Weights:
    """Read the first of model.safetensors, its sharded form, pytorch_model.bin and its sharded form that exists.

    Raises:
        CheckpointNotFoundError: the folder has none of them, or lacks a shard.
        CheckpointError: a file is damaged, or the index is not one.
    """
    path = next((folder / name for name in _NAMES if (folder / name).exists()), None)
    if path is None:
        raise CheckpointNotFoundError(f"{folder} has no weights; expected one of {', '.join(_NAMES)}.")
    if path.suffix == _INDEX:
        return _read_shards(path, inputs)
    file = read_tensor_file(path, inputs)
    return Weights(file.tensors, path, file.others)


def _read_shards(index: Path, inputs: Inputs) -> Weights:
    shard_of = _weight_map(read_fields(index, inputs))
    shards = [index.parent / name for name in sorted(set(shard_of.values()))]
    for shard in shards:
        # Path.exists raises where a name is too long.
        if not os.path.exists(shard):  # noqa: PTH110
            raise CheckpointNotFoundError(
                f"{index} names {shown(shard.name)}, which is not in the folder; download it too."
            )
    held = {shard.name: read_tensor_file(shard, inputs).tensors for shard in shards}
    for name, shard_name in shard_of.items():
        if name not in held[shard_name]:
            raise MissingTensorError(name, index.parent / shard_name)
    tensors = {name: held[shard_name][name] for name, shard_name in shard_of.items()}
    return Weights(tensors, index)


def _weight_map(index: Fields) -> dict[str, str]:
    shard_of: Any = index.values.get("weight_map")
    if not isinstance(shard_of, dict) or not shard_of:
        raise CheckpointError(f"{index.where} has no weight_map from tensors to files; download it again.")
    for name in shard_of.values():
        # A path would lead out of the folder.
        if not isinstance(name, str) or Path(name).name != name:
            raise CheckpointError(
                f"{index.where}: weight_map names {shown(name)}; a shard is a file of the same folder."
            )
    return shard_of
