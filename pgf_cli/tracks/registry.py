"""The output formats: one line each. Free of heavy imports, so that `--help` answers at once."""

import importlib
from typing import TYPE_CHECKING, NamedTuple

from pgf_cli.errors import UsageError

if TYPE_CHECKING:
    from pgf_cli.tracks.output_format import OutputFormat


class FormatEntry(NamedTuple):
    """What is known of a format without loading it.

    Attributes:
        place: `MODULE:CLASS`, the class an OutputFormat.
        help: one line.
        text: whether `--bgzip` compresses it.
        adjoint: whether it needs the adjoint.
    """

    place: str
    help: str
    text: bool = False
    adjoint: bool = False


FORMATS = {
    "bedgraph": FormatEntry("pgf_cli.tracks.bedgraph:BedGraph", "a text file a track, one line a base", text=True),
    "csv": FormatEntry("pgf_cli.tracks.csv_table:Csv", "one table, one column a track", text=True),
    "bigwig": FormatEntry("pgf_cli.tracks.bigwig:BigWig", "a binary file a track, with zoom levels, for browsers"),
    "npz": FormatEntry(
        "pgf_cli.tracks.npz:Npz",
        "hypothetical scores and one-hot sequence of equally long regions, (N, 4, L), for motif tools",
        adjoint=True,
    ),
}


def format_names() -> tuple[str, ...]:
    """Return the names of all formats."""
    return tuple(FORMATS)


def output_format(name: str) -> "OutputFormat":
    """Return a format by its name.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in FORMATS:
        raise UsageError(f"--format {name} is no format; use {', '.join(FORMATS)}")
    entry = FORMATS[name]
    module, _, kind = entry.place.partition(":")
    made: OutputFormat = getattr(importlib.import_module(module), kind)(name, entry.help)
    return made
