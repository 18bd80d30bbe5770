"""Writing our own format: a file appears whole or not at all, and the same model gives the same bytes."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import safetensors.torch
import torch
from torch import Tensor

from pgf_cli.atomic import write_atomically
from pgf_cli.checkpoints.errors import CheckpointError
from pgf_cli.checkpoints.family import ModelConfig
from pgf_cli.checkpoints.registry import family_of
from pgf_cli.core.models import BaseIds


def check_name(path: Path) -> None:
    """See that a checkpoint can be written under a name.

    Raises:
        CheckpointError: it ends in neither ``.safetensors`` nor ``.pt``.
    """
    _writer(path)


def save_checkpoint(
    path: Path, config: ModelConfig, tensors: Mapping[str, Tensor], base_ids: BaseIds | None, note: str | None = None
) -> None:
    """Write a checkpoint in our own format (see ``own_format``), replacing a file of that name.

    Args:
        path: ends in ``.pt`` or ``.safetensors``, which says how it is written.
        config: the model's sizes.
        tensors: by the names of the model's ``state_dict()``.
        base_ids: token ids of the bases; None for a model that reads the one-hot itself.
        note: what the file should say of itself wherever its results are shown.

    Raises:
        CheckpointError: another suffix, or the file cannot be written.
    """
    write = _writer(path)
    family, settings = family_of(config), _settings(config, base_ids, note)
    # A view would drag its whole storage into the file.
    weights = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    try:
        write_atomically(path, partial(write, family.name, settings, weights))
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written: {error.strerror}; choose a folder that can be.") from error


def _settings(config: ModelConfig, base_ids: BaseIds | None, note: str | None) -> dict[str, Any]:
    letters = base_ids._asdict() if base_ids else {}
    alphabet = {letter.upper(): row for letter, row in letters.items() if row is not None}
    optional = {"alphabet": alphabet or None, "note": note}
    unsaid = {
        field.name
        for field in fields(config)
        if field.metadata.get("unsaid") and getattr(config, field.name) == field.default
    }
    said = {name: value for name, value in asdict(config).items() if name not in unsaid}
    return {**said, **{name: value for name, value in optional.items() if value is not None}}


def _write_pickle(architecture: str, settings: dict[str, Any], weights: dict[str, Tensor], file: BinaryIO) -> None:
    # Through a handle: given a path, torch writes its name into the file.
    torch.save({"architecture": architecture, "config": settings, "state_dict": weights}, file)


def _write_safetensors(architecture: str, settings: dict[str, Any], weights: dict[str, Tensor], file: BinaryIO) -> None:
    data = safetensors.torch.save(weights, {"architecture": architecture, "config": json.dumps(settings)})
    file.write(_sorted_header(data))


def _sorted_header(data: bytes) -> bytes:
    """Rewrite a safetensors header with its metadata in order: the library writes them in a random one.

    Source: the safetensors format: 8 bytes of little-endian header length, a JSON header padded with spaces, the data.
    """
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    ordered = {"__metadata__": dict(sorted(header.pop("__metadata__").items())), **header}
    text = json.dumps(ordered, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


_Writer = Callable[[str, dict[str, Any], dict[str, Tensor], BinaryIO], None]

_WRITERS: dict[str, _Writer] = {".safetensors": _write_safetensors, ".pt": _write_pickle}


def _writer(path: Path) -> _Writer:
    if path.suffix not in _WRITERS:
        raise CheckpointError(f"{path}: a checkpoint's name must end in {' or '.join(_WRITERS)}.")
    return _WRITERS[path.suffix]
