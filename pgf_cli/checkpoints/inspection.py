"""What a checkpoint is and what running it takes, found out by reading it and by asking the model it makes."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from pgf_cli.checkpoints.checkpoint import Checkpoint
from pgf_cli.checkpoints.family import Head, Traversal
from pgf_cli.checkpoints.footprint import (
    adjoint_bytes,
    feature_bytes,
    snapshot_bytes,
    state_bytes,
    storage_bytes,
    tangent_bytes,
)
from pgf_cli.checkpoints.reader import read_checkpoint
from pgf_cli.core.choices import Dtype, OutputLayer
from pgf_cli.core.models import SequenceModel, TwoDirectionModel
from pgf_cli.core.sweeps.adjoint import SNAPSHOT_BUDGET
from pgf_cli.core.sweeps.features import FEATURE_BUDGET
from pgf_cli.core.tiles import default_tile
from pgf_cli.tracks.registry import output_format
from pgf_cli.tracks.request import OutputRequest, Span, TrackSpec

_TANGENTS = 3
"""Of the contrast with its ghosts."""
_RECORD = "chr1"
"""A name of the usual length."""


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
    """States that the adjoint keeps over this length, unless it is told otherwise."""
    features: int
    """What a model that reads in both directions keeps between its layers, up to the usual budget."""
    total: int
    """All of them, and the weights."""


@dataclass(frozen=True)
class SweepDisk:
    """About how many bytes of disk a mode of ``run`` takes, its small tables left out."""

    tracks: int
    """As bedGraph."""
    unfinished: int
    """Raw values in PREFIX.parts, until the run is complete."""
    features: int
    """Features beyond what memory holds, while a sweep is under way."""


@dataclass(frozen=True)
class DiskEstimate:
    """What a run over so many bases writes."""

    tangent: SweepDisk
    adjoint: SweepDisk
    both: SweepDisk


@dataclass(frozen=True)
class Lengths:
    """What the estimates are for."""

    bases: int
    """Of all records together."""
    longest: int
    """Bases of the longest record."""


MILLION = Lengths(1_000_000, 1_000_000)


@dataclass(frozen=True)
class OwnFamilySource:
    """The family that the user named."""

    name: str
    source: str
    sha256: str
    """Of its source file."""


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
    recognised_by: str
    """The fields or tensors that told it."""
    model_family: OwnFamilySource | None
    architecture: str
    traversal: Traversal
    sizes: dict[str, int | float | bool | None]
    parameters: int
    file_dtypes: list[str]
    alphabet: dict[str, int]
    alphabet_source: str
    head: Head
    output_layers: list[OutputLayer]
    """The default first."""
    objectives: list[str]
    """The default first."""
    note: str | None
    ignored: list[str]
    """Tensors of the files that are no part of the model."""
    state_bytes: StateSize
    lengths: Lengths
    memory_bytes: MemoryEstimate
    disk_bytes: DiskEstimate


def inspect_checkpoint(
    path: Path,
    alphabet: str | None,
    tile: int | None,
    dtype: Dtype,
    *,
    lengths: Lengths = MILLION,
    model_family: object = None,
) -> Inspection:
    """Read a checkpoint and say what it is.

    Args:
        path: as for ``read_checkpoint``.
        alphabet: as for ``read_checkpoint``.
        tile: bases per tile, for the estimate of memory; None: as a run along the contrast chooses it.
        dtype: number format of the computation, for sizes in bytes.
        lengths: what is to be swept, for the estimates.
        model_family: as for ``read_checkpoint``.

    Raises:
        CheckpointError, UsageError: as ``read_checkpoint``.
    """
    checkpoint = read_checkpoint(path, alphabet, model_family)
    own = checkpoint.own_family
    model = checkpoint.build(None, getattr(torch, dtype), torch.device("cpu"))
    return Inspection(
        path=str(checkpoint.path),
        files=[str(file) for file in checkpoint.files],
        layout=checkpoint.layout,
        recognised_by=checkpoint.recognised_by,
        model_family=OwnFamilySource(own.name, str(own.source), own.sha256) if own else None,
        architecture=checkpoint.architecture,
        traversal=checkpoint.family.traversal,
        sizes=asdict(checkpoint.config),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        file_dtypes=list(checkpoint.stored_as),
        alphabet=checkpoint.alphabet,
        alphabet_source=checkpoint.alphabet_source,
        head=checkpoint.head,
        output_layers=list(checkpoint.output_layers),
        objectives=list(checkpoint.family.objectives(checkpoint.config)),
        note=checkpoint.note,
        ignored=list(checkpoint.ignored),
        state_bytes=StateSize(*state_bytes(model)),
        lengths=lengths,
        memory_bytes=_memory(checkpoint, model, tile or default_tile(model, _TANGENTS), dtype, lengths),
        disk_bytes=_disk(model, lengths, dtype),
    )


def _memory(checkpoint: Checkpoint, model: SequenceModel, tile: int, dtype: Dtype, lengths: Lengths) -> MemoryEstimate:
    # A run keeps the checkpoint, whose tensors are the model's own where no conversion was needed.
    weights = storage_bytes((*model.parameters(), *checkpoint.tensors.values()))

    def takes(working: int, snapshots: int, features: int) -> SweepMemory:
        held = min(features, FEATURE_BUDGET)
        return SweepMemory(working, snapshots, held, weights + working + snapshots + held)

    snapshots = snapshot_bytes(model, tile, lengths.longest, SNAPSHOT_BUDGET)
    of_tangent, of_adjoint = feature_bytes(model, lengths.longest)
    tangent = takes(tangent_bytes(model, tile), 0, of_tangent)
    adjoint = takes(adjoint_bytes(model, tile), snapshots, of_adjoint)
    both = max(tangent, adjoint, key=lambda sweep: sweep.total)
    return MemoryEstimate(dtype, tile, weights, tangent, adjoint, both)


def _disk(model: SequenceModel, lengths: Lengths, dtype: Dtype) -> DiskEstimate:
    number = np.dtype("float64" if dtype == "float64" else "float32")

    def takes(features: int, *tracks: str) -> SweepDisk:
        request = OutputRequest(
            name="run",
            tracks=tuple(TrackSpec(name, None, "") for name in tracks),
            lengths={_RECORD: lengths.bases},
            spans=[Span(_RECORD, 0, lengths.bases)],
            regions=[],
            dtype=number,
            bgzip=False,
            track_line=False,
            adjoint=False,
        )
        raw = len(tracks) * lengths.bases * number.itemsize
        beyond = max(0, features - FEATURE_BUDGET)
        return SweepDisk(output_format("bedgraph").estimated_bytes(request), raw, beyond)

    # A model that reads in both directions has no ghosts unless they are asked for.
    tangent = ("response",) if isinstance(model, TwoDirectionModel) else ("response", "ghost")
    of_tangent, of_adjoint = feature_bytes(model, lengths.longest)
    return DiskEstimate(
        takes(of_tangent, *tangent),
        takes(of_adjoint, "contribution"),
        takes(max(of_tangent, of_adjoint), *tangent, "contribution"),
    )
