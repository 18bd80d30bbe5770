"""A model's sizes, read off its tensors and compared with what its settings say."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from torch import Tensor

from pgf_cli.checkpoints.errors import CheckpointError, MissingTensorError, TensorError


class Axis(NamedTuple):
    """Where a size shows: one axis of one tensor."""

    tensor: str
    dimensions: int
    axis: int


class Stated(NamedTuple):
    """A size as a config states it."""

    size: str
    """What it is, by the name in our own configs."""
    field: str
    """What the config calls it."""
    value: int


def extent(tensors: Mapping[str, Tensor], axis: Axis, where: object) -> int:
    """Read a size off a tensor.

    Raises:
        MissingTensorError: the tensor is missing.
        TensorError: it has another number of dimensions, or none at all along one.
    """
    if axis.tensor not in tensors:
        raise MissingTensorError(axis.tensor, where)
    shape = tuple(tensors[axis.tensor].shape)
    if len(shape) != axis.dimensions or 0 in shape:
        raise TensorError(
            f"{where}: tensor {axis.tensor} has shape {shape}, expected {axis.dimensions} dimensions, none of them "
            "empty; the checkpoint is of another family or damaged."
        )
    return int(shape[axis.axis])


def check_sizes(
    found: Mapping[str, int], axes: Mapping[str, Axis], stated: Iterable[Stated], config: object, where: object
) -> None:
    """Compare a config's sizes with the tensors'.

    Args:
        found: sizes by name, as the tensors make them.
        axes: which tensor decides which size; a size without one is decided by all of them.
        stated: sizes as the config states them.
        config: where the config was read, for messages.
        where: where the tensors were read, for messages.

    Raises:
        CheckpointError: they disagree; the message names both.
    """
    for size, field, value in stated:
        if found[size] != value:
            source = f"{axes[size].tensor} makes it" if size in axes else "the tensors make it"
            raise CheckpointError(
                f"{config} says {field} = {value}, but in {where} {source} {found[size]}; "
                "weights and settings are of different models, or one was edited: get both again."
            )
