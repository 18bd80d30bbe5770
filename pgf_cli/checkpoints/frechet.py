"""The paper's operator: the state dicts of its published code, recognised by their keys, and our own format.

A bare state dict has no settings: every one of them is read off the tensors. Source: the parameters that arXiv
2512.23068 and its published code give the operator.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import NamedTuple

from torch import Tensor

from pgf_cli.checkpoints.errors import MissingTensorError, TensorError
from pgf_cli.checkpoints.families import field_names
from pgf_cli.checkpoints.fields import Fields
from pgf_cli.checkpoints.sizes import Axis, Stated, check_sizes, extent
from pgf_cli.core.models import FrechetConfig

BASES = 4

EMBEDDING = "embed.weight"
_ESTIMATOR = "init_estimator.weight"
_AXES = {"channels": Axis("D", 1, 0), "state": Axis("A_log", 1, 0), "window": Axis(_ESTIMATOR, 2, 1)}
_SIGNATURE = {"A_log", "redshift_scale", _ESTIMATOR}
_BIASES = ("dt_proj.bias", "B_proj.bias", "C_proj.bias")


class Sizes(NamedTuple):
    """The sizes of an operator that its tensors decide; meanings as in ``FrechetConfig``."""

    channels: int
    state: int
    window: int


def is_state_dict(content: object) -> bool:
    """Whether these are the operator's tensors by name.

    Two of its telling names are enough: where the third is missing, an error shall name it.
    """
    return isinstance(content, Mapping) and len(_SIGNATURE & content.keys()) >= 2


def inferred_config(tensors: Mapping[str, Tensor], where: object) -> FrechetConfig:
    """Read every setting off the tensors of a bare state dict.

    Raises:
        TensorError: the sizes cannot be told, or the operator has no way to read a base.
    """
    sizes = _sizes(tensors, where)
    if EMBEDDING not in tensors and sizes.channels != BASES:
        raise MissingTensorError(
            EMBEDDING,
            where,
            f"an operator of {sizes.channels} channels reads a base through it, ({BASES}, {sizes.channels}): "
            "save it in the same dictionary",
        )
    return FrechetConfig(
        **sizes._asdict(),
        embedded=EMBEDDING in tensors,
        projection_bias=any(name in tensors for name in _BIASES),
    )


def own_config(config: Fields, tensors: Mapping[str, Tensor], where: object) -> FrechetConfig:
    """Read the settings of an operator in our own format, and check them against its tensors.

    Raises:
        CheckpointError: a field is unknown, a value cannot be, or settings and tensors disagree. A setting may be
            left out.
    """
    config.only(*field_names(FrechetConfig), "note")
    inferred = inferred_config(tensors, where)
    stated = [Stated(name, name, value) for name in Sizes._fields if (value := config.whole(name))]
    check_sizes(asdict(inferred), _AXES, stated, config.where, where)
    if config.flag("embedded", inferred.embedded) != inferred.embedded:
        raise config.wrong("embedded", f"{str(inferred.embedded).lower()}, as {EMBEDDING} in {where} has it")
    return replace(inferred, projection_bias=config.flag("projection_bias", inferred.projection_bias))


def _sizes(tensors: Mapping[str, Tensor], where: object) -> Sizes:
    channels, state, columns = (extent(tensors, axis, where) for axis in _AXES.values())
    window, rest = divmod(columns, channels)
    if rest or not window:
        raise TensorError(
            f"{where}: tensor {_ESTIMATOR} has {columns} columns, expected a multiple of the {channels} channels of D; "
            "the checkpoint is of another family or damaged."
        )
    return Sizes(channels, state, window)
