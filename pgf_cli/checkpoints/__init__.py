"""Files to models, whichever program wrote them; read as tensors and settings, never as code."""

from pgf_cli.checkpoints.alphabets import parse_alphabet
from pgf_cli.checkpoints.checkpoint import Checkpoint
from pgf_cli.checkpoints.errors import (
    AlphabetError,
    CheckpointError,
    CheckpointNotFoundError,
    MissingTensorError,
    TensorError,
    UnsafeCheckpointError,
    UnsupportedArchitectureError,
)
from pgf_cli.checkpoints.inspection import Inspection, inspect_checkpoint
from pgf_cli.checkpoints.reader import read_checkpoint
from pgf_cli.checkpoints.saving import check_name, save_checkpoint

__all__ = [
    "Checkpoint",
    "read_checkpoint",
    "save_checkpoint",
    "check_name",
    "Inspection",
    "inspect_checkpoint",
    "parse_alphabet",
    "CheckpointError",
    "CheckpointNotFoundError",
    "UnsafeCheckpointError",
    "UnsupportedArchitectureError",
    "TensorError",
    "MissingTensorError",
    "AlphabetError",
]
