"""A checkpoint in a page of the terminal."""

from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from pgf_cli.checkpoints import Inspection
from pgf_cli.checkpoints.inspection import SweepMemory
from pgf_cli.tracks.estimates import readable_bytes

IGNORED_SHOWN = 8
_HEADS = {"tied": "the embedding (tied)", "own": "its own", "none": "none"}
_TOLD_APART = ("head", "tied")
"""Settings that the row of the head tells."""


def print_inspection(inspection: Inspection, console: Console) -> None:
    """Print what a checkpoint is and what running it takes."""
    console.print(escape(inspection.path), style="bold")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for name, text in _rows(inspection):
        grid.add_row(escape(name), escape(text))
    console.print(Padding.indent(grid, 2))


def _rows(inspection: Inspection) -> Iterator[tuple[str, str]]:
    default, *others = inspection.output_layers
    yield "family", f"{inspection.architecture}, in the layout of {inspection.layout}"
    yield "sizes", _pairs({name: value for name, value in inspection.sizes.items() if type(value) is int})
    if rest := _settings(inspection.sizes):
        yield "settings", _pairs(rest)
    yield "parameters", f"{inspection.parameters:,}, stored as {' and '.join(inspection.file_dtypes)}"
    yield "alphabet", f"{_pairs(inspection.alphabet, ' = ')} (from {inspection.alphabet_source})"
    yield "head", _HEADS[inspection.head]
    yield "output layers", ", ".join([f"{default} (default)", *others])
    if inspection.note:
        yield "note", inspection.note
    if inspection.ignored:
        yield "ignored tensors", _shortened(inspection.ignored)
    yield from _bytes(inspection)


def _bytes(inspection: Inspection) -> Iterator[tuple[str, str]]:
    state, memory = inspection.state_bytes, inspection.memory_bytes
    yield (
        "between tiles",
        f"a state of {readable_bytes(state.primal)}, and {readable_bytes(state.tangent)} more for each tangent "
        f"direction, in {memory.dtype}",
    )
    yield (
        "memory",
        f"beside the program itself, at any length: {memory.dtype} on the CPU, tile {memory.tile:,}, "
        f"weights {readable_bytes(memory.weights)} among it",
    )
    for mode in ("tangent", "adjoint", "both"):
        yield f"  {mode}", _mode(getattr(memory, mode))


def _mode(sweep: SweepMemory) -> str:
    total = f"about {readable_bytes(sweep.total)}"
    return total + (f", at most {readable_bytes(sweep.snapshots)} of it snapshots" if sweep.snapshots else "")


def _settings(sizes: Mapping[str, int | float | bool]) -> dict[str, object]:
    rest = {name: value for name, value in sizes.items() if type(value) is not int and name not in _TOLD_APART}
    return {name: ("yes" if value else "no") if isinstance(value, bool) else value for name, value in rest.items()}


def _pairs(values: Mapping[str, object], between: str = " ") -> str:
    return ", ".join(f"{name}{between}{value}" for name, value in values.items())


def _shortened(names: list[str]) -> str:
    more = len(names) - IGNORED_SHOWN
    return ", ".join(names[:IGNORED_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
