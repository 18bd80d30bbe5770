"""The one way in: any path that a user may call a checkpoint."""

from pathlib import Path

from pgf_cli.checkpoints.checkpoint import Checkpoint
from pgf_cli.checkpoints.errors import CheckpointError, CheckpointNotFoundError
from pgf_cli.checkpoints.files import read_file
from pgf_cli.checkpoints.folders import read_folder


def read_checkpoint(path: Path, alphabet: str | None = None) -> Checkpoint:
    """Read and check a checkpoint.

    It may be our own ``.pt`` or ``.safetensors``, a bare state dict of the paper's operator, or a folder in the layout
    of Hugging Face or of mamba_ssm.

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
            f"{path} is a folder without config.json; give a Hugging Face or mamba_ssm folder, "
            "or a .pt or .safetensors file."
        )
    return read_folder(path, alphabet)
