"""What the layouts of Mamba have in common: nearly the same names of tensors, and a tied head that may be stored."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pgf_cli.checkpoints.bare import source_alphabet
from pgf_cli.checkpoints.errors import CheckpointError, MissingTensorError, TensorError
from pgf_cli.checkpoints.families.mamba_sizes import AXES, EMBEDDING, LABELS, sizes_as
from pgf_cli.checkpoints.family import HEAD
from pgf_cli.checkpoints.fitting import check_values
from pgf_cli.checkpoints.layout import Reading, Source
from pgf_cli.checkpoints.sizes import Axis, SizeInSettings, check_sizes, extent, other_names
from pgf_cli.core.models import MambaConfig

PREFIX = "backbone."
"""Before every tensor's name but the head's, where a head was saved with the model."""

_EMBEDDINGS = ("embeddings.weight", EMBEDDING)
"""What programs call it."""


class Description(NamedTuple):
    """What a folder's config.json says, in one form whichever program wrote it."""

    stated: list[SizeInSettings]
    """To be checked against the tensors."""
    norm_eps: float
    projection_bias: bool
    conv_bias: bool
    head: bool
    tied: bool
    tied_field: str
    """What the config calls ``tied``."""
    classifier: bool = False
    """Whether its head gives scores of a whole sequence, of the last base's hidden state."""
    note: str | None = None
    """What was taken for granted."""


class Kind(NamedTuple):
    """How one kind of model is made of tensors and settings."""

    sizes: Callable[[Mapping[str, Tensor], object], Mapping[str, int | bool]]
    axes: Mapping[str, Axis]
    config: Callable[[Mapping[str, Any], Description], Any]
    """From sizes by name and what the settings say."""


def _mamba(sizes: Mapping[str, Any], described: Description) -> MambaConfig:
    return MambaConfig(
        **sizes,
        pools_last=described.classifier,
        norm_eps=described.norm_eps,
        projection_bias=described.projection_bias,
        conv_bias=described.conv_bias,
        head=described.head,
        tied=described.tied,
        layer_norm=False,
        one_hot=False,
    )


_MAMBA = Kind(partial(sizes_as, one_hot=False), AXES, _mamba)


def read_described(source: Source, described: Description, option: str | None, kind: Kind = _MAMBA) -> Reading:
    """Read tensors whose settings were understood; ``option`` is ``--alphabet``."""
    (found, where, _), stated_in = source.weights, source.settings.where if source.settings else source.path
    tensors = _rename(found, where)
    if EMBEDDING not in tensors:
        hints = (other_names(PREFIX + name, found) for name in _EMBEDDINGS)
        raise MissingTensorError(EMBEDDING, where, next(filter(None, hints), None))
    sizes = kind.sizes(tensors, where)
    check_sizes(sizes, kind.axes, described.stated, stated_in, where)
    if described.classifier:
        # A head that the settings do not speak of is no part of the model.
        labels = extent(tensors, LABELS, where)
        sizes = {**sizes, "labels": labels}
    config = kind.config(sizes, described)
    inside = _inside(found)
    if config.head and config.tied:
        tensors = _tie(tensors, described.tied_field, stated_in, where)
    letters = source_alphabet(source, option, config.vocab_size)
    return Reading(config, tensors, letters, inside, described.note)


def short_name(name: str) -> str:
    """Return what the model calls a tensor of a file."""
    name = name.removeprefix(PREFIX)
    return EMBEDDING if name in _EMBEDDINGS else name


def _rename(tensors: Mapping[str, Tensor], where: object) -> dict[str, Tensor]:
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        short = short_name(name)
        if short in renamed:
            raise TensorError(f"{where} holds {short} under two names, one of them {name}; save it again with one.")
        renamed[short] = tensor
    return renamed


def _inside(names: Mapping[str, Tensor]) -> frozenset[str]:
    """Names below ``backbone.``; where nothing has that prefix the backbone was saved alone and all are its own."""
    below = [name for name in names if name.startswith(PREFIX)] or [name for name in names if name != HEAD]
    return frozenset(map(short_name, below))


def _tie(tensors: dict[str, Tensor], field: str, settings: object, where: object) -> dict[str, Tensor]:
    """Drop a head that repeats the embedding."""
    head = tensors.get(HEAD)
    if head is None:
        return tensors
    for name in (HEAD, EMBEDDING):
        check_values(name, tensors[name], where)
    if not torch.equal(head.double(), tensors[EMBEDDING].double()):
        raise CheckpointError(
            f"{settings} says {field} = true, but in {where} {HEAD} is not {EMBEDDING}; "
            f"if the model was trained with a head of its own, set {field} to false."
        )
    return {name: tensor for name, tensor in tensors.items() if name != HEAD}
