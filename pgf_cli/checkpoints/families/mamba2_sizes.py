"""The sizes of a Mamba-2, read off its embedding, its first layer and its number of layers.

How many groups share B and C does not show in the tensors, only how wide all of them are together.
"""

from collections.abc import Mapping

from torch import Tensor

from pgf_cli.checkpoints.errors import TensorError
from pgf_cli.checkpoints.families.mamba_sizes import EMBEDDING, count_layers
from pgf_cli.checkpoints.sizes import Axis, extents

_CONV = "layers.0.mixer.conv1d.weight"

AXES = {
    "d_model": Axis(EMBEDDING, 2, 1),
    "heads": Axis("layers.0.mixer.A_log", 1, 0),
    "d_inner": Axis("layers.0.mixer.out_proj.weight", 2, 1),
    "d_conv": Axis(_CONV, 3, 2),
    "vocab_size": Axis(EMBEDDING, 2, 0),
    "skip": Axis("layers.0.mixer.D", 1, 0),
    "convolved": Axis(_CONV, 3, 0),
}
MAPS = "maps"
"""Groups times states, as a size."""


def size_axes(axes: Mapping[str, Axis]) -> dict[str, Axis]:
    """Return which tensor decides which size, for messages."""
    return {**axes, "head_dim": axes["d_inner"], MAPS: axes["convolved"], "skip_per_channel": axes["skip"]}


SIZE_AXES = size_axes(AXES)


def sizes_of(tensors: Mapping[str, Tensor], where: object, axes: Mapping[str, Axis] = AXES) -> dict[str, int | bool]:
    """Read what the tensors alone decide, by the names of the fields of ``Mamba2Config``; errors as ``all_sizes``."""
    sizes = all_sizes(tensors, where, axes)
    return {name: value for name, value in sizes.items() if name not in {"d_inner", MAPS}}


def all_sizes(tensors: Mapping[str, Tensor], where: object, axes: Mapping[str, Axis] = AXES) -> dict[str, int | bool]:
    """The same with the width E, ``d_inner``, and groups times states, ``MAPS``.

    Args:
        tensors: by name.
        where: where they were read, for messages.
        axes: ``AXES``, or the same of a mixer that has another name.

    Raises:
        MissingTensorError: one of these tensors, or a whole layer among others, is missing.
        TensorError: one of them has another number of dimensions, none at all along one, or a size that no Mamba-2 has.
    """
    found = extents(tensors, axes, where)
    E, heads, convolved = found["d_inner"], found["heads"], found.pop("convolved")
    if E % heads:
        raise TensorError(
            f"{where}: {E} channels ({axes['d_inner'].tensor}) in {heads} heads ({axes['heads'].tensor}): "
            "the checkpoint is of another family or damaged."
        )
    maps, rest = divmod(convolved - E, 2)
    if rest or maps < 1:
        raise TensorError(
            f"{where}: tensor {axes['convolved'].tensor} has {convolved} channels, expected {E} of the block and an "
            "even number more for B and C; the checkpoint is of another family or damaged."
        )
    skip = found.pop("skip")
    sizes = {**found, "head_dim": E // heads, MAPS: maps, "skip_per_channel": skip == E != heads}
    return {**sizes, "n_layer": count_layers(tensors, where)}
