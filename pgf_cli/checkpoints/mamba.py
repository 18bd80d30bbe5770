"""What tensors make a Mamba language model: their names, their sizes, and whether they can be what a config says.

Names are those of ``pgf_cli.core.models.MambaLM``. Shapes are asked of the model itself, so they are written down once.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from pgf_cli.checkpoints.errors import CheckpointError, MissingTensorError, TensorError
from pgf_cli.core.models import BaseIds, MambaConfig, MambaLM

ARCHITECTURE = "mamba"
HEAD = "lm_head.weight"
EMBEDDING = "embedding.weight"

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_LAYER = re.compile(r"layers\.(\d{1,9})\.")


class Sizes(NamedTuple):
    """The sizes of a model that its tensors decide; meanings as in ``MambaConfig``."""

    channels: int
    layers: int
    inner: int
    state: int
    conv: int
    dt_rank: int
    vocab: int


class Stated(NamedTuple):
    """A size as a config states it."""

    size: str
    """Field of ``Sizes``."""
    field: str
    """Its name in the config."""
    value: int


class _Axis(NamedTuple):
    tensor: str
    dimensions: int
    axis: int


_AXES = {
    "channels": _Axis(EMBEDDING, 2, 1),
    "inner": _Axis("layers.0.mixer.A_log", 2, 0),
    "state": _Axis("layers.0.mixer.A_log", 2, 1),
    "conv": _Axis("layers.0.mixer.conv1d.weight", 3, 2),
    "dt_rank": _Axis("layers.0.mixer.dt_proj.weight", 2, 1),
    "vocab": _Axis(EMBEDDING, 2, 0),
}


def sizes_of(tensors: Mapping[str, Tensor], where: object) -> Sizes:
    """Read a model's sizes off its embedding, its first layer and its number of layers.

    Raises:
        MissingTensorError: one of these tensors, or a whole layer among others, is missing.
        TensorError: one of them has another number of dimensions, or none at all along one.
    """
    found = {size: _extent(tensors, axis, where) for size, axis in _AXES.items()}
    return Sizes(layers=_count_layers(tensors, where), **found)


def check_sizes(sizes: Sizes, stated: Iterable[Stated], config: object, where: object) -> None:
    """Compare a config's sizes with the tensors'.

    Raises:
        CheckpointError: they disagree; the message names both.
    """
    for size, field, value in stated:
        found = getattr(sizes, size)
        if found != value:
            source = f"{_AXES[size].tensor} makes it" if size in _AXES else "the tensors make it"
            raise CheckpointError(
                f"{config} says {field} = {value}, but in {where} {source} {found}; "
                "weights and settings are of different models, or one was edited: get both again."
            )


def fit(tensors: Mapping[str, Tensor], config: MambaConfig, where: object) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Pick a model's tensors out of a checkpoint's.

    Returns:
        The model's tensors, and the names of those that belong to no part of it (a classifier's, say).

    Raises:
        MissingTensorError: a tensor of the model is missing.
        TensorError: one has the wrong shape, holds no floating-point numbers, or holds NaN or infinity; or a part of
            the model has a tensor that this family does not.
    """
    shapes = _shapes(config)
    for name, shape in shapes.items():
        if name not in tensors:
            raise MissingTensorError(name, where)
        if tuple(tensors[name].shape) != shape:
            found = tuple(tensors[name].shape)
            raise TensorError(f"{where}: tensor {name} has shape {found}, expected {shape}; save or download it again.")
        check_values(name, tensors[name], where)
    parts = {name.partition(".")[0] for name in (*shapes, *([HEAD] if config.head else []))}
    others = sorted(set(tensors) - set(shapes))
    if foreign := [name for name in others if name.partition(".")[0] in parts]:
        raise TensorError(
            f"{where}: tensor {foreign[0]} has no place in a Mamba model of these settings; "
            "the checkpoint is of another family, or its settings are not its own."
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


def _extent(tensors: Mapping[str, Tensor], axis: _Axis, where: object) -> int:
    if axis.tensor not in tensors:
        raise MissingTensorError(axis.tensor, where)
    shape = tuple(tensors[axis.tensor].shape)
    if len(shape) != axis.dimensions or 0 in shape:
        raise TensorError(
            f"{where}: tensor {axis.tensor} has shape {shape}, expected {axis.dimensions} dimensions, none of them "
            "empty; the checkpoint is of another family or damaged."
        )
    return int(shape[axis.axis])


def _count_layers(tensors: Mapping[str, Tensor], where: object) -> int:
    found = {int(match[1]) for name in tensors if (match := _LAYER.match(name))}
    if gap := set(range(len(found))) - found:
        raise MissingTensorError(f"layers.{min(gap)}.norm.weight", where)
    return len(found)


def _shapes(config: MambaConfig) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        model = MambaLM(config, BaseIds(0, 0, 0, 0, None), "hidden")
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
