"""Folders of Mamba models: config.json, weights in one file or in shards, tokenizer files.

Whichever program wrote them, the tensors are the same under nearly the same names; only config.json differs, and
each program's is read in a file of its own. Only JSON and tensors are read.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pgf_cli.checkpoints import hugging_face, mamba_ssm
from pgf_cli.checkpoints.alphabets import OPTION_EXAMPLE, Alphabet, alphabet_of_config, parse_alphabet
from pgf_cli.checkpoints.checkpoint import Checkpoint
from pgf_cli.checkpoints.description import PREFIX, Description
from pgf_cli.checkpoints.errors import AlphabetError, CheckpointError, TensorError
from pgf_cli.checkpoints.families import HEAD
from pgf_cli.checkpoints.fields import Fields, read_fields
from pgf_cli.checkpoints.fitting import check_values, fit
from pgf_cli.checkpoints.mamba import AXES, EMBEDDING, sizes_of
from pgf_cli.checkpoints.shards import read_weights
from pgf_cli.checkpoints.sizes import check_sizes
from pgf_cli.checkpoints.tokenizers import read_tokenizer
from pgf_cli.core.models import MambaConfig


def read_folder(folder: Path, alphabet: str | None) -> Checkpoint:
    """Read a model folder; see ``read_checkpoint`` for arguments and errors."""
    settings = read_fields(folder / "config.json")
    program = mamba_ssm if mamba_ssm.recognises(settings) else hugging_face
    program.check_family(settings)
    weights = read_weights(folder)
    described = program.describe(settings, weights.tensors)
    tensors = _rename(weights.tensors, weights.where)
    config = _config(described, tensors, settings.where, weights.where)
    if config.head and config.tied:
        tensors = _tie(tensors, described.tied_field, settings.where, weights.where)
    kept, ignored = fit(tensors, config, weights.where)
    letters = _alphabet(folder, settings, alphabet, config.vocab)
    return Checkpoint(
        path=folder,
        files=(folder / "config.json", *weights.files, *letters.files),
        layout=program.LAYOUT,
        config=config,
        tensors=kept,
        base_ids=letters.base_ids,
        alphabet_source=letters.source,
        note=None,
        ignored=ignored,
    )


def _rename(tensors: Mapping[str, Tensor], where: object) -> dict[str, Tensor]:
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        short = name.removeprefix(PREFIX)
        short = EMBEDDING if short == "embeddings.weight" else short
        if short in renamed:
            raise TensorError(f"{where} holds {short} under two names, one of them {name}; save it again with one.")
        renamed[short] = tensor
    return renamed


def _config(described: Description, tensors: Mapping[str, Tensor], settings: object, where: object) -> MambaConfig:
    sizes = sizes_of(tensors, where)
    check_sizes(sizes._asdict(), AXES, described.stated, settings, where)
    return MambaConfig(
        **sizes._asdict(),
        norm_eps=described.norm_eps,
        projection_bias=described.projection_bias,
        conv_bias=described.conv_bias,
        head=described.head,
        tied=described.tied,
    )


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


def _alphabet(folder: Path, settings: Fields, option: str | None, vocab: int) -> Alphabet:
    if option is not None:
        return Alphabet(parse_alphabet(option, vocab), "--alphabet")
    tokenizer = read_tokenizer(folder)
    files = tokenizer.files if tokenizer else ()
    if tokenizer and (base_ids := tokenizer.base_ids(vocab)):
        return Alphabet(base_ids, files[0].name, files)
    value: Any = settings.values.get("alphabet")
    if value is not None:
        return Alphabet(alphabet_of_config(value, vocab, settings.where), "config", files)
    found = f"{files[0].name} has no tokens for bases" if files else "there is no tokenizer file"
    raise AlphabetError(f"{folder}: {found}, so which token is which base is unknown; name them: {OPTION_EXAMPLE}.")
