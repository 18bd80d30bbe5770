"""The strongest hits of each kind of track, and where ghosts come from."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby, islice
from typing import NamedTuple

from rich.console import Console

from pgf_cli.hits import Hit
from pgf_cli.reports.figures import length, number, position
from pgf_cli.reports.page import INDENT, joined, print_heading, print_line, print_prose
from pgf_cli.reports.tables import Column, print_table
from pgf_cli.tracks.manifest import GhostEntry, Manifest
from pgf_cli.tracks.trace_table import TraceRow

HITS_SHOWN = 10
SOURCES_SHOWN = 3
TITLES = {"response": "hits", "ghost": "ghost pulses"}


def print_hits(manifest: Manifest, hits: Sequence[Hit], table: str, console: Console) -> None:
    """Print a table of the ten highest hits for each kind of track.

    Args:
        manifest: of the run.
        hits: all of them, each of a track of the manifest.
        table: the name of the file that has all of them.
        console: where to print.
    """
    kinds = {track.name: track.kind for track in manifest.tracks}
    ghosts = {(record.name, name): ghost for record in manifest.records for name, ghost in record.ghosts.items()}
    distance = manifest.settings["hit_distance"].value
    for kind in dict.fromkeys(kinds.values()):
        of_kind = [hit for hit in hits if kinds[hit.track] == kind]
        best = sorted(of_kind, key=lambda hit: -abs(hit.value))[:HITS_SHOWN]
        elsewhere = f"; all are in {table}" if len(of_kind) > len(best) else ""
        print_heading(
            console,
            f"{TITLES.get(kind, f'{kind} hits')}: the {len(best)} highest of {len(of_kind):,} called "
            f"(local maxima within {distance} bases; no p-value is implied{elsewhere})",
        )
        if best:
            columns = _columns(best, ghosts)
            rows = [[column.text(hit) for column in columns.values()] for hit in best]
            print_table([Column(name, column.left) for name, column in columns.items()], rows, console)
        else:
            print_line(console, joined("none"))


def print_traces(traces: Sequence[TraceRow], hits: Sequence[Hit], console: Console) -> None:
    """Print the strongest sources of each traced ghost; ``hits``: those of the run."""
    strands = {(hit.chrom, hit.name): "" if hit.strand == "." else f" ({hit.strand})" for hit in hits}
    print_heading(console, "sources of ghost pulses: where the strongest come from (share of the ghost)")
    by_hit = groupby(traces, key=lambda row: (row.chrom, row.hit_start, row.hit))
    for (chrom, start, name), rows in islice(by_hit, HITS_SHOWN):
        hit = f"{position(chrom, start)}{strands.get((chrom, name), '')} from"
        sources = [
            f"{position(chrom, row.start)} {row.base}, {row.distance:,} b, {row.share:+.2%}"
            for row in islice(rows, SOURCES_SHOWN)
        ]
        together = joined(f"{hit} {'; '.join(sources)}")
        if INDENT + together.cell_len <= console.width:
            print_line(console, together)
            continue
        print_prose(console, joined(hit))
        for source in sources:
            print_prose(console, joined(source), indent=2 * INDENT, hanging=3 * INDENT)


class _Column(NamedTuple):
    """What a column says of a hit, and on which side it stands."""

    text: Callable[[Hit], str]
    left: bool = False


def _columns(hits: Sequence[Hit], ghosts: Mapping[tuple[str, str], GhostEntry]) -> dict[str, _Column]:
    """The columns that say something about these hits."""

    def ghost(hit: Hit) -> GhostEntry:
        return ghosts[hit.chrom, hit.name]

    columns = {
        "position": _Column(lambda hit: position(hit.chrom, hit.start), left=True),
        **({"strand": _Column(lambda hit: hit.strand)} if any(hit.strand != "." for hit in hits) else {}),
        "value": _Column(lambda hit: number(hit.value)),
    }
    if all((hit.chrom, hit.name) in ghosts for hit in hits):
        columns["of response"] = _Column(
            lambda hit: f"{ghost(hit).share:.2%}" if ghost(hit).share >= 1e-4 else "<0.01%"
        )
        if not any(hit.pulse for hit in hits):
            columns["from at least"] = _Column(lambda hit: f"{ghost(hit).upstream:,} b")
    columns |= {
        "percentile": _Column(lambda hit: f"{hit.percentile:.3f}"),
        "robust z": _Column(lambda hit: number(hit.robust_z)),
    }
    if any(hit.fdr is not None for hit in hits):
        columns["FDR"] = _Column(lambda hit: number(hit.fdr))
    if any(hit.pulse for hit in hits):
        columns |= {
            "pulse": _Column(lambda hit: hit.pulse or "NA", left=True),
            "lag": _Column(lambda hit: length(hit.lag)),
            "half-life": _Column(lambda hit: length(hit.half_life)),
            "reach": _Column(lambda hit: length(hit.reach)),
        }
    columns["context of the [hit]"] = _Column(lambda hit: hit.context, left=True)
    if any(hit.flags for hit in hits):
        columns["flags"] = _Column(lambda hit: ", ".join(hit.flags), left=True)
    return columns
