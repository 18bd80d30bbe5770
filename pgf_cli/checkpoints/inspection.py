"""What a checkpoint is and what running it takes, found out by reading it and by asking the model it makes."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from pgf_cli.checkpoints.checkpoint import Checkpoint
from pgf_cli.checkpoints.family import Head
from pgf_cli.checkpoints.footprint import adjoint_bytes, state_bytes, storage_bytes, tangent_bytes
from pgf_cli.checkpoints.reader import read_checkpoint
from pgf_cli.core.choices import Dtype, OutputLayer
from pgf_cli.core.models import StreamingModel
from pgf_cli.core.sweeps.adjoint import SNAPSHOT_BUDGET
from pgf_cli.core.tiles import default_tile

_TANGENTS = 3
"""Of the contrast with its ghosts."""


@dataclass(frozen=True)
class StateSize:
    """Bytes that pass from tile to tile, in the number format of the computation."""

    primal: int
    tangent: int
    """On top of it, for each direction."""


@dataclass(frozen=True)
class SweepMemory:
    """About how many bytes a mode of ``run`` takes."""

    working: int
    """A tile's activations and the states that a sweep carries."""
    snapshots: int
    """States that the adjoint keeps at most, unless it is told otherwise; over short sequences fewer."""
    total: int
    """Both, and the weights."""


@dataclass(frozen=True)
class MemoryEstimate:
    """About how many bytes a run takes on the CPU, beside the program itself: those of its heaviest sweep."""

    dtype: Dtype
    tile: int
    weights: int
    """The model's, and the file's too where its number format is another."""
    tangent: SweepMemory
    """Along the contrast, with its ghosts."""
    adjoint: SweepMemory
    both: SweepMemory


@dataclass(frozen=True)
class Inspection:
    """A checkpoint in a page."""

    path: str
    files: list[str]
    layout: str
    architecture: str
    sizes: dict[str, int | float | bool]
    parameters: int
    file_dtypes: list[str]
    alphabet: dict[str, int]
    alphabet_source: str
    head: Head
    output_layers: list[OutputLayer]
    """The default first."""
    note: str | None
    ignored: list[str]
    """Tensors of the files that are no part of the model."""
    state_bytes: StateSize
    memory_bytes: MemoryEstimate


def inspect_checkpoint(path: Path, alphabet: str | None, tile: int | None, dtype: Dtype) -> Inspection:
    """Read a checkpoint and say what it is.

    Args:
        path: as for ``read_checkpoint``.
        alphabet: as for ``read_checkpoint``.
        tile: bases per tile, for the estimate of memory; None: as a run along the contrast chooses it.
        dtype: number format of the computation, for sizes in bytes.

    Raises:
        CheckpointError, UsageError: as ``read_checkpoint``.
    """
    checkpoint = read_checkpoint(path, alphabet)
    model = checkpoint.build(None, getattr(torch, dtype), torch.device("cpu"))
    return Inspection(
        path=str(checkpoint.path),
        files=[str(file) for file in checkpoint.files],
        layout=checkpoint.layout,
        architecture=checkpoint.architecture,
        sizes=asdict(checkpoint.config),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        file_dtypes=sorted({str(tensor.dtype).removeprefix("torch.") for tensor in checkpoint.tensors.values()}),
        alphabet=checkpoint.alphabet,
        alphabet_source=checkpoint.alphabet_source,
        head=checkpoint.head,
        output_layers=list(checkpoint.output_layers),
        note=checkpoint.note,
        ignored=list(checkpoint.ignored),
        state_bytes=StateSize(*state_bytes(model)),
        memory_bytes=_memory(checkpoint, model, tile or default_tile(model, _TANGENTS), dtype),
    )


def _memory(checkpoint: Checkpoint, model: StreamingModel, tile: int, dtype: Dtype) -> MemoryEstimate:
    # A run keeps the checkpoint, whose tensors are the model's own where no conversion was needed.
    weights = storage_bytes((*model.parameters(), *checkpoint.tensors.values()))

    def takes(working: int, snapshots: int) -> SweepMemory:
        return SweepMemory(working, snapshots, weights + working + snapshots)

    tangent, adjoint = takes(tangent_bytes(model, tile), 0), takes(adjoint_bytes(model, tile), SNAPSHOT_BUDGET)
    both = max(tangent, adjoint, key=lambda sweep: sweep.total)
    return MemoryEstimate(dtype, tile, weights, tangent, adjoint, both)
