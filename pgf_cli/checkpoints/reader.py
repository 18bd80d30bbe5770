"""From a path to a checked checkpoint, whichever program wrote it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pgf_cli.checkpoints import own_format
from pgf_cli.checkpoints.checkpoint import Checkpoint
from pgf_cli.checkpoints.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    UnsupportedArchitectureError,
    printable,
    shown,
)
from pgf_cli.checkpoints.families.mamba3 import refuse_mamba3
from pgf_cli.checkpoints.fields import read_fields
from pgf_cli.checkpoints.fitting import fit
from pgf_cli.checkpoints.layout import Layout, Reading, Source, Weights, architectures_of
from pgf_cli.checkpoints.registry import FAMILIES, family_of
from pgf_cli.checkpoints.shards import read_weights
from pgf_cli.checkpoints.tensor_file import read_tensor_file
from pgf_cli.checkpoints.wrappers import refuse_adapter_files, unwrapped
from pgf_cli.inputs import InputError, Inputs

_LONGEST_NOTE = 300
"""Characters of it that are shown."""


def read_checkpoint(path: Path, alphabet: str | None = None) -> Checkpoint:
    """Read a checkpoint: a file in our own format, the paper's state dict, or a folder of another program.

    Only tensors and plain settings are read; nothing that a checkpoint contains is ever executed.

    Args:
        path: the file or folder.
        alphabet: the option ``--alphabet``, such as ``A=7,C=8,G=9,T=10,N=11``; beats what the checkpoint says.

    Raises:
        CheckpointNotFoundError: there is no such path, or a part of the checkpoint is missing.
        UnsafeCheckpointError: loading it would run code.
        UnsupportedArchitectureError: the model is of another family, or has an adapter that is not merged.
        TensorError: a tensor is missing, misshapen, not of floating-point numbers, not finite or of another family.
        AlphabetError: the checkpoint does not say which token is which base.
        CheckpointError: anything else that is wrong with its files.
        UsageError: ``alphabet`` cannot be used.
    """
    _check_path(path)
    try:
        return _read_folder(path, alphabet) if path.is_dir() else _read_file(path, alphabet)
    except InputError as error:
        raise CheckpointError(str(error)) from error


def _check_path(path: Path) -> None:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CheckpointNotFoundError(
            f"{path}: no such checkpoint file or folder; a model of the Hugging Face hub must be downloaded first."
        ) from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        # A zero byte in a name.
        raise CheckpointNotFoundError(f"{path}: no file can have such a name ({error}).") from error


def _read_file(path: Path, option: str | None) -> Checkpoint:
    inputs = Inputs()
    file = read_tensor_file(path, inputs)
    weights = unwrapped(Weights(file.tensors, path, file.others))
    if own_format.is_own(file):
        reading = own_format.read_own(file, weights.tensors, path, option)
        return _checkpoint(path, own_format.LAYOUT, reading, weights, inputs)
    source = Source(path, None, inputs, lambda: weights)
    refuse_mamba3(source)
    layout = next(_recognising(source), None)
    if layout is None:
        raise own_format.not_own_format(file, path)
    return _checkpoint(path, layout.name, layout.read(source, option), weights, inputs)


def _read_folder(folder: Path, option: str | None) -> Checkpoint:
    refuse_adapter_files(folder)
    if not (folder / "config.json").exists():
        raise CheckpointNotFoundError(
            f"{folder} is a folder without config.json; give a Hugging Face or mamba_ssm folder, "
            "or a .pt or .safetensors file."
        )
    inputs = Inputs()
    settings = read_fields(folder / "config.json", inputs)
    source = Source(folder, settings, inputs, lambda: unwrapped(read_weights(folder, inputs)))
    refuse_mamba3(source)
    layout = next(_recognising(source), None)
    if layout is None:
        raise _unsupported(source)
    return _checkpoint(folder, layout.name, layout.read(source, option), source.weights, inputs)


def _recognising(source: Source) -> Iterator[Layout]:
    return (layout for family in FAMILIES for layout in family.layouts if layout.recognises(source))


def _unsupported(source: Source) -> UnsupportedArchitectureError:
    settings = source.folder_settings
    family = settings.text("model_type")
    found = f"model_type {shown(family)}" if family else f"architectures {shown(architectures_of(settings))}"
    known = "; ".join(layout.supports for family in FAMILIES for layout in family.layouts)
    return UnsupportedArchitectureError(
        f"{settings.where}: {found} is not supported; supported are {known}; and this program's own files."
    )


def _checkpoint(path: Path, layout: str, reading: Reading, weights: Weights, inputs: Inputs) -> Checkpoint:
    family: Any = family_of(reading.config)
    kept, ignored = fit(reading.tensors, reading.inside, family, reading.config, weights.where)
    return Checkpoint(
        path=path,
        inputs=inputs.files,
        layout=layout,
        config=reading.config,
        tensors=kept,
        base_ids=reading.alphabet.base_ids,
        alphabet_source=reading.alphabet.source,
        note=printable(reading.note[:_LONGEST_NOTE]) if reading.note is not None else None,
        ignored=tuple(printable(name) for name in (*ignored, *weights.others)),
    )
