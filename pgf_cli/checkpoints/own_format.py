"""This program's own format: a ``.pt`` or a ``.safetensors`` that holds architecture, config and tensors.

``.pt``: exactly ``{"architecture": "mamba", "config": {...}, "state_dict": {...}}``. ``.safetensors``: the first two in
its metadata, ``config`` as JSON. ``config`` has the fields of ``MambaConfig``, ``alphabet`` and, optionally, ``note``.
"""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from pgf_cli.checkpoints.alphabets import OPTION_EXAMPLE, alphabet_of_config, parse_alphabet
from pgf_cli.checkpoints.checkpoint import Checkpoint
from pgf_cli.checkpoints.diagnosis import folder_hint
from pgf_cli.checkpoints.errors import AlphabetError, CheckpointError, UnsupportedArchitectureError
from pgf_cli.checkpoints.fields import Fields, parse_fields
from pgf_cli.checkpoints.mamba import ARCHITECTURE, Sizes, Stated, check_sizes, fit, sizes_of
from pgf_cli.checkpoints.tensor_files import named_tensors, read_pickle, read_safetensors
from pgf_cli.core.models import BaseIds, MambaConfig

LAYOUT = "pgf-sensitivity"

_KEYS = ("architecture", "config", "state_dict")
_FIELDS = (*(field.name for field in fields(MambaConfig)), "alphabet", "note")


class _Parts(NamedTuple):
    architecture: object
    config: Fields
    tensors: dict[str, Tensor]


def read_file(path: Path, alphabet: str | None) -> Checkpoint:
    """Read a checkpoint in our own format; see ``read_checkpoint`` for arguments and errors."""
    architecture, config, tensors = _safetensors(path) if path.suffix == ".safetensors" else _pickle(path)
    if architecture != ARCHITECTURE:
        raise UnsupportedArchitectureError(
            f"{path}: architecture is {architecture!r:.80}; supported in this format: {ARCHITECTURE!r}."
        )
    model = _config(config, tensors, path)
    kept, ignored = fit(tensors, model, path)
    return Checkpoint(
        path=path,
        files=(path,),
        layout=LAYOUT,
        architecture=ARCHITECTURE,
        config=model,
        tensors=kept,
        base_ids=_base_ids(config, alphabet, model.vocab),
        alphabet_source="config" if alphabet is None else "--alphabet",
        note=config.text("note"),
        ignored=ignored,
    )


def _safetensors(path: Path) -> _Parts:
    metadata, tensors = read_safetensors(path)
    if missing := [key for key in _KEYS[:2] if key not in metadata]:
        raise CheckpointError(
            f"{path} has no {missing[0]!r} in its metadata: it is not in {LAYOUT}'s own format{folder_hint(path)}."
        )
    return _Parts(metadata["architecture"], parse_fields(metadata["config"], f"{path}: config"), tensors)


def _pickle(path: Path) -> _Parts:
    parts = read_pickle(path)
    if not isinstance(parts, Mapping) or not set(_KEYS) <= parts.keys():
        raise CheckpointError(
            f"{path} is not in {LAYOUT}'s own format, a dictionary of {', '.join(_KEYS)}{folder_hint(path)}."
        )
    if others := [key for key in parts if key not in _KEYS]:
        raise CheckpointError(f"{path} also holds {others[0]!r:.80}; save {', '.join(_KEYS)} and nothing else.")
    config = parts["config"]
    if not isinstance(config, Mapping):
        raise CheckpointError(f"{path}: config is a {type(config).__name__}; it must be a dictionary.")
    return _Parts(
        parts["architecture"],
        Fields(config, f"{path}: config"),
        named_tensors(parts["state_dict"], f"{path}: state_dict"),
    )


def _config(config: Fields, tensors: Mapping[str, Tensor], path: Path) -> MambaConfig:
    if unknown := [name for name in config.values if name not in _FIELDS]:
        raise CheckpointError(f"{config.where}: unknown field {unknown[0]!r:.80}; known: {', '.join(_FIELDS)}.")
    if missing := [name for name in Sizes._fields if config.whole(name) is None]:
        raise CheckpointError(f"{config.where} has no {missing[0]}; write it as a whole number.")
    sizes = sizes_of(tensors, path)
    stated = [Stated(name, name, value) for name in Sizes._fields if (value := config.whole(name))]
    check_sizes(sizes, stated, config.where, path)
    return MambaConfig(
        **sizes._asdict(),
        norm_eps=config.positive("norm_eps", MambaConfig.norm_eps),
        projection_bias=config.flag("projection_bias", MambaConfig.projection_bias),
        conv_bias=config.flag("conv_bias", MambaConfig.conv_bias),
        head=config.flag("head", MambaConfig.head),
        tied=config.flag("tied", MambaConfig.tied),
    )


def _base_ids(config: Fields, alphabet: str | None, vocab: int) -> BaseIds:
    if alphabet is not None:
        return parse_alphabet(alphabet, vocab)
    if "alphabet" not in config.values:
        raise AlphabetError(f"{config.where} does not say which token is which base; name them: {OPTION_EXAMPLE}.")
    return alphabet_of_config(config.values["alphabet"], vocab, config.where)
