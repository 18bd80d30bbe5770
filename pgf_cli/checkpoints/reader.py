"""From a path to a checked checkpoint, whichever program wrote it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pgf_cli.checkpoints import own_format, refusals
from pgf_cli.checkpoints.bare import LAYOUT as BARE
from pgf_cli.checkpoints.bare import read_bare
from pgf_cli.checkpoints.checkpoint import Checkpoint
from pgf_cli.checkpoints.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    ForeignTensorError,
    UnsupportedArchitectureError,
    printable,
    shown,
)
from pgf_cli.checkpoints.family import Family
from pgf_cli.checkpoints.fields import Fields, read_fields
from pgf_cli.checkpoints.fitting import fit
from pgf_cli.checkpoints.layout import Layout, Reading, Source, Weights, architectures_of
from pgf_cli.checkpoints.own_family import FLAG, OwnFamily, load_family
from pgf_cli.checkpoints.registry import FAMILIES, family_of
from pgf_cli.checkpoints.shards import read_weights
from pgf_cli.checkpoints.tensor_file import read_tensor_file
from pgf_cli.checkpoints.wrappers import refuse_adapter_files, unwrapped
from pgf_cli.inputs import InputError, Inputs

_LONGEST_NOTE = 300
"""Characters of it that are shown."""


def read_checkpoint(path: Path, alphabet: str | None = None, model_family: object = None) -> Checkpoint:
    """Read a checkpoint: a file in our own format, bare tensors of a known family, or a folder of another program.

    Only tensors and plain settings are read; nothing that a checkpoint contains is ever executed.

    Args:
        path: the file or folder.
        alphabet: the option ``--alphabet``, such as ``A=7,C=8,G=9,T=10,N=11``; beats what the checkpoint says.
        model_family: the option ``--model-family``: a family that the user wrote, as ``package.module:Class``; in
            Python also the class or ``Family`` itself. Its own code runs; then no other family is asked.

    Raises:
        CheckpointNotFoundError: there is no such path, or a part of the checkpoint is missing.
        UnsafeCheckpointError: loading it would run code.
        UnsupportedArchitectureError: the model is of another family, or has an adapter that is not merged.
        TensorError: a tensor is missing, misshapen, not of floating-point numbers, not finite or of another family.
        AlphabetError: the checkpoint does not say which token is which base.
        CheckpointError: anything else that is wrong with its files.
        UsageError: ``alphabet`` cannot be used, or ``model_family`` is no family.
    """
    _check_path(path)
    own = load_family(model_family, path) if model_family is not None else None
    try:
        return _read_folder(path, alphabet, own) if path.is_dir() else _read_file(path, alphabet, own)
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


def _read_file(path: Path, option: str | None, own: OwnFamily | None) -> Checkpoint:
    inputs = Inputs()
    file = read_tensor_file(path, inputs)
    mine = own.family if own else None
    named = own_format.family_of_file(file, mine) or mine
    weights = unwrapped(Weights(file.tensors, path, file.others), _names_of(named))
    if own_format.is_own(file):
        reading = own_format.read_own(file, weights.tensors, path, option, mine)
        because = f"architecture = {shown(file.settings['architecture'])}"
        return _checkpoint(path, own_format.LAYOUT, because, reading, weights, inputs, own)
    source = Source(path, None, inputs, lambda: weights)
    if own is not None:
        return _read_own_family(source, option, own)
    if "architecture" in file.settings:
        raise own_format.not_own_format(file, path)
    layout = next(_recognising(source), None)
    if layout is None:
        if findings := refusals.find(None, weights.tensors, known=False):
            raise refusals.refusal(path, findings, None, weights.tensors)
        error = own_format.not_own_format(file, path)
        if weights.tensors:
            error.refused = refusals.unknown(None, weights.tensors, _supported())
        raise error
    return _read_layout(layout, source, option)


def _read_folder(folder: Path, option: str | None, own: OwnFamily | None) -> Checkpoint:
    refuse_adapter_files(folder)
    described = (folder / "config.json").exists()
    if not described and own is None:
        raise CheckpointNotFoundError(
            f"{folder} is a folder without config.json; give a Hugging Face or mamba_ssm folder, "
            "or a .pt or .safetensors file."
        )
    inputs = Inputs()
    settings = read_fields(folder / "config.json", inputs) if described else Fields({}, str(folder))
    names = _names_of(own.family if own else None)
    source = Source(folder, settings, inputs, lambda: unwrapped(read_weights(folder, inputs), names))
    if own is not None:
        return _read_own_family(source, option, own)
    # What the settings alone rule out is refused before any tensor is asked for.
    if findings := refusals.find(settings, {}, known=True):
        raise refusals.refusal(settings.where, findings, settings, {})
    layout = next(_recognising(source), None)
    if layout is None:
        raise _unsupported(source)
    return _read_layout(layout, source, option)


def _recognising(source: Source) -> Iterator[Layout]:
    return (layout for family in FAMILIES for layout in family.layouts if layout.recognises(source))


def _read_layout(layout: Layout, source: Source, option: str | None, own: OwnFamily | None = None) -> Checkpoint:
    reading = layout.read(source, option)
    because = ", ".join(layout.evidence(source))
    try:
        return _checkpoint(source.path, layout.name, because, reading, source.weights, source.inputs, own)
    except ForeignTensorError as error:
        # A model of a known family with layers of another kind among its own.
        own_names = family_of(reading.config).shapes(reading.config) if own is None else {}
        if own is None and (finding := refusals.kind_of_tensor(error.tensor, own_names)):
            raise refusals.refusal(source.path, [finding], source.settings, source.tensors) from error
        raise


def _read_own_family(source: Source, option: str | None, own: OwnFamily) -> Checkpoint:
    layout = next((each for each in own.family.layouts if each.recognises(source)), None)
    if layout is not None:
        return _read_layout(layout, source, option, own)
    reading = read_bare(own.family, source, option)
    return _checkpoint(source.path, BARE, f"{FLAG} {own.name}", reading, source.weights, source.inputs, own)


def _names_of(family: Family[Any] | None) -> frozenset[str]:
    """Names that a family's tensors are known to have."""
    return frozenset(axis.tensor for axis in family.axes.values()) if family else frozenset()


def _supported() -> str:
    known = ", ".join(dict.fromkeys(layout.supports for family in FAMILIES for layout in family.layouts))
    return f"{known} and this program's own files"


def _unsupported(source: Source) -> UnsupportedArchitectureError:
    """Make the error for a folder that no layout knows, by its tensors where they can be read."""
    settings = source.folder_settings
    try:
        tensors = source.tensors
    except (CheckpointError, InputError):
        tensors = {}
    if findings := refusals.find(settings, tensors, known=False):
        return refusals.refusal(source.path, findings, settings, tensors)
    family = settings.text("model_type")
    found = f"model_type {shown(family)}" if family else f"architectures {shown(architectures_of(settings))}"
    error = UnsupportedArchitectureError(f"{settings.where}: {found} is not supported; supported are {_supported()}.")
    error.refused = refusals.unknown(settings, tensors, _supported())
    return error


def _checkpoint(
    path: Path,
    layout: str,
    because: str,
    reading: Reading,
    weights: Weights,
    inputs: Inputs,
    own: OwnFamily | None,
) -> Checkpoint:
    family: Any = own.family if own else family_of(reading.config)
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
        recognised_by=printable(because),
        own_family=own,
    )
