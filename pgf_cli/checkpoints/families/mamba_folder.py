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

    @property
    def fields(self) -> dict[str, Any]:
        """What all configs of these models call the same."""
        return {name: getattr(self, name) for name in ("norm_eps", "projection_bias", "conv_bias", "head", "tied")}


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
        **described.fields,
        layer_norm=False,
        one_hot=False,
    )


_MAMBA = Kind(partial(sizes_as, one_hot=False), AXES, _mamba)


def read_described(source: Source, described: Description, option: str | None, kind: Kind = _MAMBA) -> Reading:
    """Read tensors whose settings were understood; ``option`` is ``--alphabet``."""
    (found, where, _), stated_in = source.weights, source.settings.where if source.settings else source.path
    tensors = renamed(found, short_name, where)
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
        tensors = without_tied_head(tensors, described.tied_field, stated_in, where)
    letters = source_alphabet(source, option, config.vocab_size)
    return Reading(config, tensors, letters, inside, described.note)


def short_name(name: str) -> str:
    """Return what the model calls a tensor of a file."""
    name = name.removeprefix(PREFIX)
    return EMBEDDING if name in _EMBEDDINGS else name


def renamed(tensors: Mapping[str, Tensor], short: Callable[[str], str], where: object) -> dict[str, Tensor]:
    """Return tensors by what the model calls them.

    Raises:
        TensorError: two have one name.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        own = short(name)
        if own in found:
            raise TensorError(f"{where} holds {own} under two names, one of them {name}; save it again with one.")
        found[own] = tensor
    return found


def repeats_embedding(tensors: Mapping[str, Tensor]) -> bool:
    """Whether the head, which is there, is the embedding; both by the model's own names."""
    head, embedding = tensors[HEAD], tensors.get(EMBEDDING)
    return embedding is not None and head.shape == embedding.shape and torch.equal(head.double(), embedding.double())


def _inside(names: Mapping[str, Tensor]) -> frozenset[str]:
    """Names below ``backbone.``; where nothing has that prefix the backbone was saved alone and all are its own."""
    below = [name for name in names if name.startswith(PREFIX)] or [name for name in names if name != HEAD]
    return frozenset(map(short_name, below))


def without_tied_head(tensors: dict[str, Tensor], field: str, settings: object, where: object) -> dict[str, Tensor]:
    """Drop a head that repeats the embedding.

    Args:
        tensors: by the model's own names, the embedding among them.
        field: what the settings call it that the head is the embedding.
        settings: where they were read, for messages.
        where: where the tensors were read, for messages.

    Raises:
        CheckpointError: it is not the embedding.
    """
    head = tensors.get(HEAD)
    if head is None:
        return tensors
    for name in (HEAD, EMBEDDING):
        check_values(name, tensors[name], where)
    if not repeats_embedding(tensors):
        raise CheckpointError(
            f"{settings} says {field} = true, but in {where} {HEAD} is not {EMBEDDING}; "
            f"if the model was trained with a head of its own, set {field} to false."
        )
    return {name: tensor for name, tensor in tensors.items() if name != HEAD}
