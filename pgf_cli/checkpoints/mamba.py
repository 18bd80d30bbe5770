"""Mamba language models: their sizes as the tensors make them, and their settings in our own format.

Names are those of ``pgf_cli.core.models.MambaLM``.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from pgf_cli.checkpoints.errors import CheckpointError, MissingTensorError
from pgf_cli.checkpoints.families import field_names
from pgf_cli.checkpoints.fields import Fields
from pgf_cli.checkpoints.sizes import Axis, Stated, check_sizes, extent
from pgf_cli.core.models import MambaConfig

EMBEDDING = "embedding.weight"

AXES = {
    "channels": Axis(EMBEDDING, 2, 1),
    "inner": Axis("layers.0.mixer.A_log", 2, 0),
    "state": Axis("layers.0.mixer.A_log", 2, 1),
    "conv": Axis("layers.0.mixer.conv1d.weight", 3, 2),
    "dt_rank": Axis("layers.0.mixer.dt_proj.weight", 2, 1),
    "vocab": Axis(EMBEDDING, 2, 0),
}

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


def sizes_of(tensors: Mapping[str, Tensor], where: object) -> Sizes:
    """Read a model's sizes off its embedding, its first layer and its number of layers.

    Raises:
        MissingTensorError: one of these tensors, or a whole layer among others, is missing.
        TensorError: one of them has another number of dimensions, or none at all along one.
    """
    found = {size: extent(tensors, axis, where) for size, axis in AXES.items()}
    return Sizes(layers=_count_layers(tensors, where), **found)


def own_config(config: Fields, tensors: Mapping[str, Tensor], where: object) -> MambaConfig:
    """Read the settings of a model in our own format, and check them against its tensors.

    Raises:
        CheckpointError: a size is left out, a field is unknown, a value cannot be, or settings and tensors disagree.
    """
    config.only(*field_names(MambaConfig), "alphabet", "note")
    if missing := [name for name in Sizes._fields if config.whole(name) is None]:
        raise CheckpointError(f"{config.where} has no {missing[0]}; write it as a whole number.")
    sizes = sizes_of(tensors, where)
    stated = [Stated(name, name, value) for name in Sizes._fields if (value := config.whole(name))]
    check_sizes(sizes._asdict(), AXES, stated, config.where, where)
    return MambaConfig(
        **sizes._asdict(),
        norm_eps=config.positive("norm_eps", MambaConfig.norm_eps),
        projection_bias=config.flag("projection_bias", MambaConfig.projection_bias),
        conv_bias=config.flag("conv_bias", MambaConfig.conv_bias),
        head=config.flag("head", MambaConfig.head),
        tied=config.flag("tied", MambaConfig.tied),
    )


def _count_layers(tensors: Mapping[str, Tensor], where: object) -> int:
    found = {int(match[1]) for name in tensors if (match := _LAYER.match(name))}
    if gap := set(range(len(found))) - found:
        raise MissingTensorError(f"layers.{min(gap)}.norm.weight", where)
    return len(found)
