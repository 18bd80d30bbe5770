"""Hugging Face folders of Mamba models: config.json, weights in one file or in shards, tokenizer files.

Only JSON and tensors are read. Source: the files that ``transformers`` writes for MambaForCausalLM and MambaModel.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pgf_cli.checkpoints.alphabets import OPTION_EXAMPLE, alphabet_of_config, parse_alphabet
from pgf_cli.checkpoints.checkpoint import Checkpoint
from pgf_cli.checkpoints.errors import AlphabetError, CheckpointError, TensorError, UnsupportedArchitectureError
from pgf_cli.checkpoints.fields import Fields, read_fields
from pgf_cli.checkpoints.mamba import ARCHITECTURE, EMBEDDING, HEAD, Stated, check_sizes, check_values, fit, sizes_of
from pgf_cli.checkpoints.shards import read_weights
from pgf_cli.checkpoints.tokenizers import read_tokenizer
from pgf_cli.core.models import BaseIds, MambaConfig

LAYOUT = "Hugging Face"

_PREFIX = "backbone."
_CAUSAL, _HEADLESS = "MambaForCausalLM", "MambaModel"
_SIZES = {
    "channels": "hidden_size",
    "layers": "num_hidden_layers",
    "inner": "intermediate_size",
    "state": "state_size",
    "conv": "conv_kernel",
    "dt_rank": "time_step_rank",
    "vocab": "vocab_size",
}


class _Alphabet(NamedTuple):
    base_ids: BaseIds
    source: str
    files: tuple[Path, ...]


def read_folder(folder: Path, alphabet: str | None) -> Checkpoint:
    """Read a Hugging Face folder; see ``read_checkpoint`` for arguments and errors."""
    settings = read_fields(folder / "config.json")
    _check_family(settings)
    weights = read_weights(folder)
    tensors = _rename(weights.tensors, weights.where)
    head = _has_head(settings, weights.tensors)
    config = _config(settings, tensors, head, weights.where)
    if config.head and config.tied:
        tensors = _tie(tensors, settings, weights.where)
    kept, ignored = fit(tensors, config, weights.where)
    base_ids, source, files = _alphabet(folder, settings, alphabet, config.vocab)
    return Checkpoint(
        path=folder,
        files=(folder / "config.json", *weights.files, *files),
        layout=LAYOUT,
        architecture=ARCHITECTURE,
        config=config,
        tensors=kept,
        base_ids=base_ids,
        alphabet_source=source,
        note=None,
        ignored=ignored,
    )


def _architectures(settings: Fields) -> list[str]:
    names = settings.values.get("architectures") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise settings.wrong("architectures", f'a list of names such as ["{_CAUSAL}"]')
    return names


def _check_family(settings: Fields) -> None:
    names = _architectures(settings)
    family = settings.text("model_type")
    if family != "mamba" and (family is not None or not {_CAUSAL, _HEADLESS} & set(names)):
        found = f"model_type {family!r}" if family is not None else f"architectures {names}"
        raise UnsupportedArchitectureError(
            f"{settings.where}: {found} is not supported; supported are Hugging Face folders with model_type 'mamba' "
            f"({_CAUSAL}, {_HEADLESS}) and pgf-sensitivity's own files."
        )
    activation = settings.values.get("hidden_act", "silu")
    if activation != "silu":
        raise UnsupportedArchitectureError(
            f"{settings.where}: hidden_act is {activation!r:.40}; only 'silu' is supported."
        )


def _rename(tensors: Mapping[str, Tensor], where: object) -> dict[str, Tensor]:
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        short = name.removeprefix(_PREFIX)
        short = EMBEDDING if short == "embeddings.weight" else short
        if short in renamed:
            raise TensorError(f"{where} holds {short} under two names, one of them {name}; save it again with one.")
        renamed[short] = tensor
    return renamed


def _has_head(settings: Fields, tensors: Mapping[str, Tensor]) -> bool:
    names = _architectures(settings)
    if not names:
        # MambaModel saves itself without the prefix that it has inside MambaForCausalLM.
        return HEAD in tensors or any(name.startswith(_PREFIX) for name in tensors)
    return _CAUSAL in names or (HEAD in tensors and _HEADLESS not in names)


def _config(settings: Fields, tensors: Mapping[str, Tensor], head: bool, where: object) -> MambaConfig:
    sizes = sizes_of(tensors, where)
    check_sizes(sizes, _stated(settings), settings.where, where)
    return MambaConfig(
        **sizes._asdict(),
        norm_eps=settings.positive("layer_norm_epsilon", 1e-5),
        projection_bias=settings.flag("use_bias", False),
        conv_bias=settings.flag("use_conv_bias", True),
        head=head,
        tied=settings.flag("tie_word_embeddings", True),
    )


def _stated(settings: Fields) -> list[Stated]:
    """The sizes in config.json; of what it leaves out, only the number of layers cannot be read off the tensors."""
    if settings.whole("num_hidden_layers") is None:
        raise CheckpointError(
            f"{settings.where} has no num_hidden_layers; get the config.json that the weights came with."
        )
    channels = settings.whole("hidden_size")
    automatic = settings.values.get("time_step_rank") == "auto"
    stated = [
        Stated(size, field, value)
        for size, field in _SIZES.items()
        if not (size == "dt_rank" and automatic) and (value := settings.whole(field)) is not None
    ]
    if automatic and channels is not None:
        stated.append(Stated("dt_rank", "time_step_rank", math.ceil(channels / 16)))
    return stated


def _tie(tensors: dict[str, Tensor], settings: Fields, where: object) -> dict[str, Tensor]:
    """Drop a head that repeats the embedding."""
    head = tensors.get(HEAD)
    if head is None:
        return tensors
    for name in (HEAD, EMBEDDING):
        check_values(name, tensors[name], where)
    if not torch.equal(head.double(), tensors[EMBEDDING].double()):
        raise CheckpointError(
            f"{settings.where} says tie_word_embeddings = true, but in {where} {HEAD} is not {EMBEDDING}; "
            "if the model was trained with a head of its own, set tie_word_embeddings to false."
        )
    return {name: tensor for name, tensor in tensors.items() if name != HEAD}


def _alphabet(folder: Path, settings: Fields, option: str | None, vocab: int) -> _Alphabet:
    if option is not None:
        return _Alphabet(parse_alphabet(option, vocab), "--alphabet", ())
    tokenizer = read_tokenizer(folder)
    files = tokenizer.files if tokenizer else ()
    if tokenizer and (base_ids := tokenizer.base_ids(vocab)):
        return _Alphabet(base_ids, files[0].name, files)
    value: Any = settings.values.get("alphabet")
    if value is not None:
        return _Alphabet(alphabet_of_config(value, vocab, settings.where), "config", files)
    found = f"{files[0].name} has no tokens for bases" if files else "there is no tokenizer file"
    raise AlphabetError(f"{folder}: {found}, so which token is which base is unknown; name them: {OPTION_EXAMPLE}.")
