"""A model's sizes, read off its tensors and compared with what its settings say."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from torch import Tensor

from pgf_cli.checkpoints.errors import CheckpointError, MissingTensorError, TensorError, shown


class Axis(NamedTuple):
    """Where a size shows: one axis of one tensor."""

    tensor: str
    dimensions: int
    axis: int


class SizeInSettings(NamedTuple):
    """A size as the settings give it, to be compared with the tensors."""

    size: str
    """What it is, by the name in our own configs."""
    field: str
    """What the settings call it."""
    value: int | float


def extent(tensors: Mapping[str, Tensor], axis: Axis, where: object) -> int:
    """Read a size off a tensor.

    Raises:
        MissingTensorError: the tensor is missing.
        TensorError: it has another number of dimensions, or none at all along one.
    """
    if axis.tensor not in tensors:
        raise MissingTensorError(axis.tensor, where, other_names(axis.tensor, tensors))
    shape = tuple(tensors[axis.tensor].shape)
    if len(shape) != axis.dimensions or 0 in shape:
        raise TensorError(
            f"{where}: tensor {axis.tensor} has shape {shape}, expected {axis.dimensions} dimensions, none of them "
            "empty; the checkpoint is of another family or damaged."
        )
    return int(shape[axis.axis])


def extents(tensors: Mapping[str, Tensor], axes: Mapping[str, Axis], where: object) -> dict[str, int]:
    """Read sizes by name off the tensors that decide them; errors as ``extent``."""
    return {size: extent(tensors, axis, where) for size, axis in axes.items()}


def other_names(name: str, names: Iterable[str]) -> str | None:
    """Say what to do where a missing tensor is there with something before its name; None where it is not."""
    found = next((other for other in names if other.endswith(f".{name}")), None)
    if found is None:
        return None
    return f"there is {found}: take {found.removesuffix(name)!r} off the names of all tensors and save again"


def check_sizes(
    found: Mapping[str, int | bool],
    axes: Mapping[str, Axis],
    stated: Iterable[SizeInSettings],
    config: object,
    where: object,
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
                f"{config} says {field} = {shown(value)}, but in {where} {source} {found[size]}; "
                "weights and settings are of different models, or one was edited: get both again."
            )
