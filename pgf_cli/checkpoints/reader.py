"""The one way in: any path that a user may call a checkpoint."""

from pathlib import Path

from pgf_cli.checkpoints.checkpoint import Checkpoint
from pgf_cli.checkpoints.errors import CheckpointError, CheckpointNotFoundError
from pgf_cli.checkpoints.hugging_face import read_folder
from pgf_cli.checkpoints.own_format import read_file


def read_checkpoint(path: Path, alphabet: str | None = None) -> Checkpoint:
    """Read and check a checkpoint: our own ``.pt`` or ``.safetensors``, or a Hugging Face folder.

    Only tensors and plain settings are read; nothing that a checkpoint contains is ever executed.

    Args:
        path: the file or folder.
        alphabet: the option ``--alphabet``, such as ``A=7,C=8,G=9,T=10,N=11``; beats what the checkpoint says.

    Raises:
        CheckpointNotFoundError: there is no such path, or a part of the checkpoint is missing.
        UnsafeCheckpointError: loading it would run code.
        UnsupportedArchitectureError: the model is of another family.
        TensorError: a tensor is missing, misshapen, not of floating-point numbers, not finite or of another family.
        AlphabetError: the checkpoint does not say which token is which base.
        CheckpointError: anything else that is wrong with its files.
        UsageError: ``alphabet`` cannot be used.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CheckpointNotFoundError(
            f"{path}: no such checkpoint file or folder; a model of the Hugging Face hub must be downloaded first."
        ) from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    if not path.is_dir():
        return read_file(path, alphabet)
    if not (path / "config.json").exists():
        raise CheckpointNotFoundError(
            f"{path} is a folder without config.json; give a Hugging Face model folder, or a .pt or .safetensors file."
        )
    return read_folder(path, alphabet)
