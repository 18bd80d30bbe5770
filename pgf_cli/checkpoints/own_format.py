"""This program's own format: a ``.pt`` or a ``.safetensors`` that holds architecture, config and tensors.

``.pt``: exactly ``{"architecture": "mamba", "config": {...}, "state_dict": {...}}``. ``.safetensors``: the first two in
its metadata, ``config`` as JSON. ``config`` has the fields of ``MambaConfig`` or, for the architecture ``frechet``, of
``FrechetConfig``; a Mamba's ``alphabet``; and, optionally, ``note``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from pgf_cli.checkpoints import frechet, mamba
from pgf_cli.checkpoints.alphabets import (
    OPTION_EXAMPLE,
    Alphabet,
    alphabet_of_config,
    one_hot_alphabet,
    parse_alphabet,
)
from pgf_cli.checkpoints.checkpoint import Checkpoint
from pgf_cli.checkpoints.diagnosis import folder_hint
from pgf_cli.checkpoints.errors import AlphabetError, CheckpointError, UnsupportedArchitectureError
from pgf_cli.checkpoints.families import ARCHITECTURES, ModelConfig
from pgf_cli.checkpoints.fields import Fields, parse_fields
from pgf_cli.checkpoints.fitting import fit
from pgf_cli.checkpoints.tensor_files import Safetensors, named_tensors

LAYOUT = "pgf-sensitivity"

KEYS = ("architecture", "config", "state_dict")


class OwnParts(NamedTuple):
    """What a file in our own format holds."""

    architecture: object
    config: Fields
    tensors: dict[str, Tensor]


def read_own(parts: OwnParts, path: Path, alphabet: str | None) -> Checkpoint:
    """Check what a file in our own format holds; see ``read_checkpoint`` for arguments and errors."""
    architecture, settings, tensors = parts
    config: ModelConfig
    match architecture:
        case "mamba":
            config = mamba.own_config(settings, tensors, path)
            letters = _alphabet(settings, alphabet, config.vocab)
        case "frechet":
            config, letters = frechet.own_config(settings, tensors, path), one_hot_alphabet(alphabet, path)
        case _:
            raise UnsupportedArchitectureError(
                f"{path}: architecture is {architecture!r:.80}; supported in this format: "
                f"{', '.join(map(repr, ARCHITECTURES))}."
            )
    kept, ignored = fit(tensors, config, path)
    return Checkpoint(
        path=path,
        files=(path,),
        layout=LAYOUT,
        config=config,
        tensors=kept,
        base_ids=letters.base_ids,
        alphabet_source=letters.source,
        note=settings.text("note"),
        ignored=ignored,
    )


def parts_of_safetensors(content: Safetensors, path: Path) -> OwnParts:
    """Take a safetensors file apart; CheckpointError if it is not in our own format."""
    metadata, tensors = content
    if missing := [key for key in KEYS[:2] if key not in metadata]:
        raise CheckpointError(
            f"{path} has no {missing[0]!r} in its metadata: it is not in {LAYOUT}'s own format{folder_hint(path)}."
        )
    return OwnParts(metadata["architecture"], parse_fields(metadata["config"], f"{path}: config"), tensors)


def parts_of_pickle(content: object, path: Path) -> OwnParts:
    """Take apart what ``torch.save`` wrote; CheckpointError if it is not in our own format."""
    if not isinstance(content, Mapping) or not set(KEYS) <= content.keys():
        raise CheckpointError(
            f"{path} is not in {LAYOUT}'s own format, a dictionary of {', '.join(KEYS)}{folder_hint(path)}."
        )
    if others := [key for key in content if key not in KEYS]:
        raise CheckpointError(f"{path} also holds {others[0]!r:.80}; save {', '.join(KEYS)} and nothing else.")
    config = content["config"]
    if not isinstance(config, Mapping):
        raise CheckpointError(f"{path}: config is a {type(config).__name__}; it must be a dictionary.")
    return OwnParts(
        content["architecture"],
        Fields(config, f"{path}: config"),
        named_tensors(content["state_dict"], f"{path}: state_dict"),
    )


def _alphabet(settings: Fields, option: str | None, vocab: int) -> Alphabet:
    if option is not None:
        return Alphabet(parse_alphabet(option, vocab), "--alphabet")
    if "alphabet" not in settings.values:
        raise AlphabetError(f"{settings.where} does not say which token is which base; name them: {OPTION_EXAMPLE}.")
    return Alphabet(alphabet_of_config(settings.values["alphabet"], vocab, settings.where), "config")
