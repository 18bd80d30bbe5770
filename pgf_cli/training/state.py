"""What a training run needs to go on exactly where it was saved, in one file that appears whole or not at all."""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pgf_cli.atomic import write_atomically
from pgf_cli.checkpoints import CheckpointError
from pgf_cli.checkpoints.torch_file import read_torch
from pgf_cli.inputs import InputError, Inputs
from pgf_cli.training.errors import ResumeError


class TrainingState(NamedTuple):
    """A training run after some steps."""

    step: int
    """Steps done."""
    bases: int
    """Bases read."""
    seconds: float
    settings: str
    """The run's settings as JSON."""
    data: str
    """What the training bases were, as text to compare."""
    weights: dict[str, Tensor]
    """By name: the checkpoint beside it may be of a later step if the run was killed between the two files."""
    optimiser: dict[str, Any]
    """``state_dict()`` of the optimiser: tensors and numbers."""


def save_state(path: Path, state: TrainingState) -> None:
    """Write the state, replacing that of an earlier step."""
    write_atomically(path, partial(torch.save, state._asdict()))


def load_state(path: Path) -> TrainingState:
    """Read a state, as tensors and plain values only.

    Raises:
        ResumeError: there is none, or it is damaged.
    """
    if not path.exists():
        raise ResumeError(f"{path} does not exist: there is nothing to resume; leave out --resume to start")
    try:
        content = read_torch(path, Inputs())
    except (CheckpointError, InputError) as error:
        raise ResumeError(f"{path} cannot be resumed from: {error}") from error
    if not isinstance(content, dict) or set(content) != set(TrainingState._fields):
        raise ResumeError(f"{path} is not the state of a training run; start anew with --force")
    return TrainingState(**content)
