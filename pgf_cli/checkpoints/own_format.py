"""This program's own format: a ``.pt`` or a ``.safetensors`` that holds architecture, config and tensors.

``.pt``: exactly ``{"architecture": "mamba", "config": {...}, "state_dict": {...}}``. ``.safetensors``: the first two in
its metadata, ``config`` as JSON. ``config`` has the fields of the family's config; the ``alphabet`` of a family with
tokens; and, optionally, ``note``.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

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
from pgf_cli.checkpoints.fields import Fields, parse_fields, stated
from pgf_cli.checkpoints.layout import Reading
from pgf_cli.checkpoints.registry import FAMILIES, family_named
from pgf_cli.checkpoints.sizes import SizeInSettings, check_sizes
from pgf_cli.checkpoints.tensor_file import TensorFile

LAYOUT = "pgf-sensitivity"

SETTINGS = ("architecture", "config")
"""What a file says beside its tensors."""

FORMER_NAMES = {
    "d_model": "channels",
    "n_layer": "layers",
    "d_inner": "inner",
    "d_state": "state",
    "d_conv": "conv",
    "vocab_size": "vocab",
}
"""What files of earlier versions call the fields of a config."""


def read_own(
    file: TensorFile, tensors: Mapping[str, Tensor], path: Path, option: str | None, own: Family[Any] | None = None
) -> Reading:
    """Check what a file in our own format holds.

    Args:
        file: for which ``is_own`` holds.
        tensors: its tensors, wrappers' prefixes taken off.
        path: the file.
        option: ``--alphabet``.
        own: the family that the user named.

    Raises:
        CheckpointError, UsageError: as ``read_checkpoint``.
    """
    architecture, settings = file.settings["architecture"], _config(file, path)
    family = family_of_file(file, own)
    if family is None:
        known = ", ".join(repr(each.name) for each in ([own] if own else FAMILIES))
        raise UnsupportedArchitectureError(
            f"{path}: architecture is {shown(architecture)}; supported in this format: {known}."
        )
    config = read_config(family, settings, tensors, path)
    tokens = family.tokens(config)
    letters = one_hot_alphabet(option, path) if tokens is None else _alphabet(settings, option, tokens)
    return Reading(config, tensors, letters, note=settings.text("note"))


def family_of_file(file: TensorFile, own: Family[Any] | None = None) -> Family[Any] | None:
    """Return the family that a file in our own format names, ``own`` or a registered one; None if neither."""
    architecture = file.settings.get("architecture")
    if own is not None:
        return own if architecture == own.name else None
    return family_named(architecture)


def is_own(file: TensorFile) -> bool:
    """Whether a file says that it is in our own format."""
    return set(SETTINGS) <= file.settings.keys()


def not_own_format(file: TensorFile, path: Path) -> CheckpointError:
    """Make the error for a file that nobody recognises."""
    lacking = " and ".join(name for name in SETTINGS if name not in file.settings)
    return CheckpointError(
        f"{path} has no {lacking} beside its tensors: it is not in {LAYOUT}'s own format{folder_hint(path)}."
    )


def read_config(family: Family[Any], settings: Fields, tensors: Mapping[str, Tensor], where: object) -> Any:
    """Read a family's config, and check it against the tensors.

    Raises:
        CheckpointError: a size that must be stated is left out, a field is unknown or there under two names, a value
            cannot be, or settings and tensors disagree.
    """
    names = family.field_names()
    extra = ("note",) if family.vocabulary is None else ("alphabet", "note")
    written = {name: _written(name, settings) for name in names}
    unknown = [name for name in settings.values if name not in {*written.values(), *extra}]
    if unknown:
        known = ", ".join((*names, *extra))
        raise CheckpointError(f"{settings.where}: unknown field {shown(unknown[0])}; known: {known}.")
    values = stated(family.config, settings, written)
    if missing := [name for name in family.required if name not in values]:
        raise CheckpointError(f"{settings.where} has no {missing[0]}; write it as a whole number.")
    found = family.sizes(tensors, where)
    compared = [SizeInSettings(name, written[name], values[name]) for name in found if name in values]
    check_sizes(found, family.axes, compared, settings.where, where)
    values |= found
    for field in fields(family.config):
        if field.name not in values and field.default is MISSING:
            raise CheckpointError(f"{settings.where} has no {field.name}; add it.")
    return family.config(**values)


def _config(file: TensorFile, path: Path) -> Fields:
    """The config: a text of JSON in a safetensors file, a dictionary in a pickle."""
    config, where = file.settings["config"], f"{path}: config"
    if others := [name for name in file.settings if name not in SETTINGS]:
        raise CheckpointError(
            f"{path} also holds {shown(others[0])}; save {', '.join(SETTINGS)} and state_dict, and nothing else."
        )
    if isinstance(config, str):
        return parse_fields(config, where)
    if not isinstance(config, dict):
        raise CheckpointError(f"{where} is a {type(config).__name__}; it must be a dictionary.")
    return Fields(config, where)


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
