"""The sizes of a Mamba, read off its embedding, its first layer and its number of layers."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pgf_cli.checkpoints.errors import MissingTensorError, TensorError
from pgf_cli.checkpoints.sizes import Axis, extents

EMBEDDING = "embedding.weight"
INPUT_BIAS = "embedding.bias"
"""Of a one-hot input alone; its weight has a row for each channel."""

AXES = {
    "d_model": Axis(EMBEDDING, 2, 1),
    "d_inner": Axis("layers.0.mixer.A_log", 2, 0),
    "d_state": Axis("layers.0.mixer.A_log", 2, 1),
    "d_conv": Axis("layers.0.mixer.conv1d.weight", 3, 2),
    "dt_rank": Axis("layers.0.mixer.dt_proj.weight", 2, 1),
    "vocab_size": Axis(EMBEDDING, 2, 0),
}

ONE_HOT_AXES = {"d_model": Axis(EMBEDDING, 2, 0), "vocab_size": Axis(EMBEDDING, 2, 1)}
"""What differs where the input is one-hot."""

LABELS = Axis("score.weight", 2, 0)
"""The rows of a classification or regression head."""

_MOST_LAYERS = 1_000
"""Several times the deepest model's: making a model takes some milliseconds a layer."""
_LAYER = re.compile(r"layers\.(\d{1,9})\.")


def sizes_of(tensors: Mapping[str, Tensor], where: object) -> dict[str, int | bool]:
    """Read what the tensors decide of a model, by the fields of ``MambaConfig``; errors as ``sizes_as``."""
    one_hot = INPUT_BIAS in tensors
    return {**sizes_as(tensors, where, one_hot=one_hot), "one_hot": one_hot}


def sizes_as(tensors: Mapping[str, Tensor], where: object, *, one_hot: bool) -> dict[str, Any]:
    """Read a model's sizes; whether its input is one-hot is known.

    Raises:
        MissingTensorError: one of these tensors, or a whole layer among others, is missing.
        TensorError: one of them has another number of dimensions, or none at all along one; or layers have no end.
    """
    axes = AXES | ONE_HOT_AXES if one_hot else AXES
    return {**extents(tensors, axes, where), "n_layer": count_layers(tensors, where)}


def count_layers(tensors: Mapping[str, Tensor], where: object) -> int:
    """Count the layers, by the names ``layers.0.``, ``layers.1.``, ..."""
    found = {int(match[1]) for name in tensors if (match := _LAYER.match(name))}
    if len(found) > _MOST_LAYERS:
        raise TensorError(f"{where} has tensors of {len(found):,} layers; at most {_MOST_LAYERS:,} are read.")
    if gap := set(range(len(found))) - found:
        raise MissingTensorError(f"layers.{min(gap)}.norm.weight", where)
    return len(found)
