"""Tensors without the settings that their program keeps beside them: what they do not decide is asked for by name."""

from dataclasses import MISSING, fields
from typing import Any

from pgf_cli.checkpoints.alphabets import (
    Alphabet,
    one_hot_alphabet,
    parse_alphabet,
)
from pgf_cli.checkpoints.diagnosis import folder_hint
from pgf_cli.checkpoints.errors import CheckpointError
from pgf_cli.checkpoints.family import Family
from pgf_cli.checkpoints.fields import Fields, stated
from pgf_cli.checkpoints.folder_alphabet import folder_alphabet, no_alphabet
from pgf_cli.checkpoints.layout import Reading, Source
from pgf_cli.checkpoints.sizes import SizeInSettings, check_sizes

LAYOUT = "bare tensors"


def read_bare(family: Family[Any], source: Source, option: str | None) -> Reading:
    """Read tensors under a family's own names; a folder's config.json may state sizes by the config's fields.

    Args:
        family: whose they are known to be.
        source: a file or folder.
        option: ``--alphabet``.

    Raises:
        CheckpointError, UsageError: as ``read_checkpoint``.
    """
    found = family.sizes(source.tensors, source.weights.where)
    settings = source.settings or Fields({}, str(source.path))
    given = stated(family.config, settings)
    compared = [SizeInSettings(name, name, given[name]) for name in found if name in given]
    check_sizes(found, family.axes, compared, settings.where, source.weights.where)
    values = {**given, **found}
    for field in fields(family.config):
        if field.name not in values and field.default is MISSING:
            raise lacking(source, family.name, field.name)
    config = family.config(**values)
    rows = family.tokens(config)
    letters = one_hot_alphabet(option, source.path) if rows is None else source_alphabet(source, option, rows)
    return Reading(config, source.tensors, letters)


def source_alphabet(source: Source, option: str | None, vocab: int) -> Alphabet:
    """Find the tokens of the bases, of a file or a folder; errors as ``folder_alphabet``."""
    if source.settings is not None:
        return folder_alphabet(source.path, source.settings, option, vocab, source.inputs)
    if option is not None:
        return Alphabet(parse_alphabet(option, vocab), "--alphabet")
    raise no_alphabet(source.path, "tensors alone name no tokens", vocab)


def refuse_beside_settings(source: Source) -> None:
    """Refuse a single file of a folder whose config.json says what its tensors do not.

    Raises:
        CheckpointError: there is such a folder around it.
    """
    if hint := folder_hint(source.path):
        raise CheckpointError(f"{source.path} is a part of a model folder{hint}.")


def lacking(source: Source, family: str, field: str) -> CheckpointError:
    """Make the error for a setting that tensors do not decide and nothing states."""
    if source.settings is not None:
        return CheckpointError(f"{source.settings.where} has no {field}, which the tensors do not decide; add it.")
    return CheckpointError(
        f"{source.path} holds the tensors of a {family} model, which do not decide {field}: move it into a folder of "
        f"its own, as {'model.safetensors' if source.path.suffix == '.safetensors' else 'pytorch_model.bin'}, with a "
        f'config.json that has it: {{"{field}": ...}}.'
    )
