"""This program's own format: a ``.pt`` or a ``.safetensors`` that holds architecture, config and tensors.

``.pt``: exactly ``{"architecture": "mamba", "config": {...}, "state_dict": {...}}``. ``.safetensors``: the first two in
its metadata, ``config`` as JSON. ``config`` has the fields of the family's config; the ``alphabet`` of a family with
tokens; and, optionally, ``note``.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from torch import Tensor

from pgf_cli.checkpoints.alphabets import (
    OPTION_EXAMPLE,
    Alphabet,
    alphabet_of_config,
    one_hot_alphabet,
    parse_alphabet,
)
from pgf_cli.checkpoints.diagnosis import folder_hint
from pgf_cli.checkpoints.errors import AlphabetError, CheckpointError, UnsupportedArchitectureError, shown
from pgf_cli.checkpoints.family import Family
from pgf_cli.checkpoints.fields import Fields, parse_fields
from pgf_cli.checkpoints.layout import Reading
from pgf_cli.checkpoints.registry import FAMILIES, family_named
from pgf_cli.checkpoints.safetensors_file import Safetensors
from pgf_cli.checkpoints.sizes import SizeInSettings, check_sizes
from pgf_cli.checkpoints.torch_file import named_tensors

LAYOUT = "pgf-sensitivity"

KEYS = ("architecture", "config", "state_dict")

FORMER_NAMES = {
    "d_model": "channels",
    "n_layer": "layers",
    "d_inner": "inner",
    "d_state": "state",
    "d_conv": "conv",
    "vocab_size": "vocab",
}
"""What files of earlier versions call the fields of a config."""

_READ: dict[type, Callable[[Fields, str], int | float | bool | None]] = {
    int: Fields.whole,
    float: Fields.positive,
    bool: Fields.flag,
}


class OwnParts(NamedTuple):
    """What a file in our own format holds."""

    architecture: object
    config: Fields
    tensors: dict[str, Tensor]


def read_own(parts: OwnParts, path: Path, option: str | None) -> Reading:
    """Check what a file in our own format holds; see ``read_checkpoint`` for arguments and errors."""
    architecture, settings, tensors = parts
    family = family_named(architecture)
    if family is None:
        known = ", ".join(repr(family.name) for family in FAMILIES)
        raise UnsupportedArchitectureError(
            f"{path}: architecture is {shown(architecture)}; supported in this format: {known}."
        )
    config = read_config(family, settings, tensors, path)
    vocab = family.vocabulary(config)
    letters = one_hot_alphabet(option, path) if vocab is None else _alphabet(settings, option, vocab)
    return Reading(config, tensors, letters, note=settings.text("note"))


def parts_of_safetensors(content: Safetensors, path: Path) -> OwnParts | None:
    """Take a safetensors file apart; None if it is not in our own format."""
    metadata, tensors = content
    if "architecture" not in metadata:
        return None
    if "config" not in metadata:
        raise not_own_format(path, "'config' in its metadata")
    return OwnParts(metadata["architecture"], parse_fields(metadata["config"], f"{path}: config"), tensors)


def parts_of_pickle(content: object, path: Path) -> OwnParts | None:
    """Take apart what ``torch.save`` wrote; None if it is not in our own format."""
    if not isinstance(content, Mapping) or not set(KEYS) <= content.keys():
        return None
    if others := [key for key in content if key not in KEYS]:
        raise CheckpointError(f"{path} also holds {shown(others[0])}; save {', '.join(KEYS)} and nothing else.")
    config = content["config"]
    if not isinstance(config, Mapping):
        raise CheckpointError(f"{path}: config is a {type(config).__name__}; it must be a dictionary.")
    return OwnParts(
        content["architecture"],
        Fields(config, f"{path}: config"),
        named_tensors(content["state_dict"], f"{path}: state_dict"),
    )


def not_own_format(path: Path, lacking: str) -> CheckpointError:
    """Make the error for a file that nobody recognises."""
    return CheckpointError(f"{path} has no {lacking}: it is not in {LAYOUT}'s own format{folder_hint(path)}.")


def read_config(family: Family[Any], settings: Fields, tensors: Mapping[str, Tensor], where: object) -> Any:
    """Read a family's config, and check it against the tensors.

    Raises:
        CheckpointError: a size that must be stated is left out, a field is unknown or there under two names, a value
            cannot be, or settings and tensors disagree.
    """
    names = family.field_names()
    extra = ("note",) if family.vocabulary is None else ("alphabet", "note")
    written = {name: _written(name, settings) for name in names}
    settings = Fields(settings.values, settings.where)
    unknown = [name for name in settings.values if name not in {*written.values(), *extra}]
    if unknown:
        known = ", ".join((*names, *extra))
        raise CheckpointError(f"{settings.where}: unknown field {shown(unknown[0])}; known: {known}.")
    hints = get_type_hints(family.config)
    stated = {name: _READ[hints[name]](settings, written[name]) for name in names}
    if missing := [name for name in family.required if stated[name] is None]:
        raise CheckpointError(f"{settings.where} has no {missing[0]}; write it as a whole number.")
    found = family.sizes(tensors, where)
    compared = [SizeInSettings(name, written[name], stated[name]) for name in found if stated[name] is not None]
    check_sizes(found, family.axes, compared, settings.where, where)
    values = {name: value for name, value in stated.items() if value is not None} | dict(found)
    for field in fields(family.config):
        if field.name not in values and field.default is MISSING:
            raise CheckpointError(f"{settings.where} has no {field.name}; add it.")
    return family.config(**values)


def _written(name: str, settings: Fields) -> str:
    """What a file calls a field: our name, or that of earlier versions."""
    former = FORMER_NAMES.get(name)
    if former is None or former not in settings.values:
        return name
    if name in settings.values:
        raise CheckpointError(f"{settings.where} has both {name} and {former}, its former name; keep one.")
    return former


def _alphabet(settings: Fields, option: str | None, vocab: int) -> Alphabet:
    if option is not None:
        return Alphabet(parse_alphabet(option, vocab), "--alphabet")
    if "alphabet" not in settings.values:
        raise AlphabetError(f"{settings.where} does not say which token is which base; name them: {OPTION_EXAMPLE}.")
    return Alphabet(alphabet_of_config(settings.values["alphabet"], vocab, settings.where), "config")
