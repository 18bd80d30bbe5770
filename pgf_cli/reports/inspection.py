"""A checkpoint in a page of the terminal."""

from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from pgf_cli.checkpoints import Inspection
from pgf_cli.checkpoints.errors import Refused
from pgf_cli.checkpoints.inspection import SweepDisk, SweepMemory
from pgf_cli.printable import printable
from pgf_cli.reports.model_sizes import mask_in, settings_in, sizes_in
from pgf_cli.tracks.estimates import readable_bytes

IGNORED_SHOWN = 8
_HEADS = {"tied": "the embedding (tied)", "own": "its own", "none": "none"}
_SWEEPS = {
    "one sweep": "one, from left to right: causal, an output depends on the bases up to it",
    "layer by layer": "layer by layer: two directions, an output depends on the whole record; features of a layer are "
    "kept in memory or on the disk",
}
_STATES = {"one sweep": "a state", "layer by layer": "a layer's state"}
_SHOWN = 16
"""Digits of a hash that people can compare."""


def print_inspection(inspection: Inspection, console: Console) -> None:
    """Print what a checkpoint is and what running it takes."""
    console.print(escape(inspection.path), style="bold")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for name, text in _rows(inspection):
        grid.add_row(escape(name), escape(text))
    console.print(Padding.indent(grid, 2))


def print_refusal(path: str, refused: Refused, console: Console) -> None:
    """Print why a checkpoint cannot be run, and what to do instead."""
    console.print(escape(path), style="bold")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for name, text in _refusal_rows(refused):
        grid.add_row(escape(name), escape(printable(text)))
    console.print(Padding.indent(grid, 2))


def _refusal_rows(refused: Refused) -> Iterator[tuple[str, str]]:
    yield "refused", f"it is {refused.recognised_as}"
    yield "recognised by", ", ".join(refused.because)
    yield "layer", refused.layer
    yield "why", refused.reason[:1].upper() + refused.reason[1:]
    for also in refused.also:
        yield "also", also
    yield "instead", refused.instead[:1].upper() + refused.instead[1:]
    for i, line in enumerate(refused.tensors):
        yield "" if i else "tensors", line


def _rows(inspection: Inspection) -> Iterator[tuple[str, str]]:
    default, *others = inspection.output_layers
    yield "family", f"{inspection.architecture}, in the layout of {inspection.layout}"
    yield "recognised by", inspection.recognised_by
    if own := inspection.model_family:
        yield "code", f"{own.name} in {own.source}, sha256 {own.sha256[:_SHOWN]}"
    yield "sweep", _SWEEPS[inspection.traversal]
    yield "sizes", _pairs(sizes_in(inspection.sizes))
    if rest := settings_in(inspection.sizes):
        yield "settings", _pairs(rest)
    yield "parameters", f"{inspection.parameters:,}, {_stored(inspection)}"
    mask = mask_in(inspection.sizes)
    tokens = inspection.alphabet | ({} if mask is None else {"[MASK]": mask})
    yield "alphabet", f"{_pairs(tokens, ' = ')} (from {inspection.alphabet_source})"
    yield "head", _HEADS[inspection.head]
    yield "output layers", ", ".join([f"{default} (default)", *others])
    first, *more = inspection.objectives
    yield "objectives", ", ".join([f"{first} (default)", *more]) + _objective_hint(inspection)
    if inspection.note:
        yield "note", inspection.note
    if inspection.ignored:
        yield "ignored tensors", _shortened(inspection.ignored)
    yield from _bytes(inspection)


def _bytes(inspection: Inspection) -> Iterator[tuple[str, str]]:
    state, memory, lengths = inspection.state_bytes, inspection.memory_bytes, inspection.lengths
    yield (
        "between tiles",
        f"{_STATES[inspection.traversal]} of {readable_bytes(state.primal)}, and {readable_bytes(state.tangent)} more "
        f"for each tangent direction, in {memory.dtype}",
    )
    yield (
        "memory",
        f"beside the program itself, for records of up to {lengths.longest:,} bases: {memory.dtype} on the CPU, tile "
        f"{memory.tile:,}, weights {readable_bytes(memory.weights)} among it",
    )
    for mode in ("tangent", "adjoint", "both"):
        yield f"  {mode}", _mode(getattr(memory, mode))
    yield "disk", f"for {lengths.bases:,} bases, as bedGraph; a bigWig takes a seventh"
    for mode in ("tangent", "adjoint", "both"):
        yield f"  {mode} ", _files(getattr(inspection.disk_bytes, mode))


def _mode(sweep: SweepMemory) -> str:
    parts = [f"about {readable_bytes(sweep.total)}"]
    parts += [f"{readable_bytes(sweep.snapshots)} of it snapshots"] if sweep.snapshots else []
    parts += [f"{readable_bytes(sweep.features)} of it features"] if sweep.features else []
    return ", ".join(parts)


def _files(disk: SweepDisk) -> str:
    text = f"about {readable_bytes(disk.tracks)}, and {readable_bytes(disk.unfinished)} more until the run is complete"
    return text + (f", {readable_bytes(disk.features)} of features while a sweep lasts" if disk.features else "")


def _stored(inspection: Inspection) -> str:
    stored = f"stored as {' and '.join(inspection.file_dtypes)}"
    dtype = inspection.memory_bytes.dtype
    return stored if inspection.file_dtypes == [dtype] else f"{stored}, computed in {dtype}"


def _objective_hint(inspection: Inspection) -> str:
    return "; J: a base or a row of the head" if "logit:J" in inspection.objectives else ""


def _pairs(values: Mapping[str, object], between: str = " ") -> str:
    return ", ".join(f"{name}{between}{value}" for name, value in values.items())


def _shortened(names: list[str]) -> str:
    more = len(names) - IGNORED_SHOWN
    return ", ".join(names[:IGNORED_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
