"""Picking a model's tensors out of a checkpoint's, and checking that they can be its weights."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pgf_cli.checkpoints.errors import ForeignTensorError, MissingTensorError, TensorError
from pgf_cli.checkpoints.family import Family
from pgf_cli.checkpoints.sizes import other_names

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def fit(
    tensors: Mapping[str, Tensor], inside: frozenset[str], family: Family[Any], config: Any, where: object
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Pick a model's tensors out of a checkpoint's.

    Args:
        tensors: by the model's own names.
        inside: names that the file places inside the model, beside those whose first word is a part of it.
        family: the model's.
        config: its sizes.
        where: where the tensors were read, for messages.

    Returns:
        The model's tensors, and the names of those that belong to no part of it (a classifier's, say).

    Raises:
        MissingTensorError: a tensor of the model is missing.
        TensorError: one has the wrong shape, holds no floating-point numbers, or holds NaN or infinity.
        ForeignTensorError: a part of the model has a tensor that this family does not.
    """
    shapes = family.shapes(config)
    for name, shape in shapes.items():
        if name not in tensors:
            raise MissingTensorError(name, where, other_names(name, tensors))
        if tuple(tensors[name].shape) != shape:
            found = tuple(tensors[name].shape)
            raise TensorError(f"{where}: tensor {name} has shape {found}, expected {shape}; save or download it again.")
        check_values(name, tensors[name], where)
    parts, others = family.parts(config), sorted(set(tensors) - set(shapes))
    if foreign := [name for name in others if name in inside or name.partition(".")[0] in parts]:
        raise ForeignTensorError(
            foreign[0],
            f"{where}: tensor {foreign[0]} has no place in a {family.name} model of these settings; "
            "the checkpoint is of another family, or its settings are not its own.",
        )
    return {name: tensors[name] for name in shapes}, tuple(others)


def check_values(name: str, tensor: Tensor, where: object) -> None:
    """Check that a tensor holds finite floating-point numbers.

    Raises:
        TensorError: it does not.
    """
    if tensor.dtype not in _FLOATS:
        kind = str(tensor.dtype).removeprefix("torch.")
        raise TensorError(f"{where}: tensor {name} holds {kind}, not floating-point numbers; save it in float32.")
    bad = int((~torch.isfinite(tensor)).sum())
    if bad:
        raise TensorError(
            f"{where}: tensor {name} holds NaN or infinity in {bad:,} of {tensor.numel():,} values; "
            "the training diverged or the file is damaged: take an earlier checkpoint or download it again."
        )
