"""Each record in a few lines: what was scored, the outline of its tracks, what it took."""

from rich.console import Console

from pgf_cli.reports.figures import number, position
from pgf_cli.reports.page import INDENT, joined, print_heading, print_line, print_prose
from pgf_cli.reports.sparkline import marks_for, sparkline
from pgf_cli.tracks.estimates import readable_bytes
from pgf_cli.tracks.manifest import AdjointEntry, Manifest, RecordEntry, TrackSummary

RECORDS_IN_FULL = 20
INNER = 2 * INDENT
TARGETS_SHOWN = 3


def print_records(manifest: Manifest, console: Console) -> None:
    """Print the first 20 records in full and the sums of the others."""
    print_heading(console, "records")
    if manifest.dropped:
        dropped = f"{manifest.dropped:,} requested regions were dropped; regions.tsv says why"
        print_prose(console, joined((dropped, "yellow")))
    for record in manifest.records[:RECORDS_IN_FULL]:
        _print_record(manifest, record, console)
    rest = manifest.records[RECORDS_IN_FULL:]
    if rest:
        summed = (
            f"... and {len(rest):,} more records: {sum(record.scored for record in rest):,} bases scored, "
            f"{sum(record.n + record.iupac for record in rest):,} skipped; all of them are in run.json"
        )
        print_prose(console, joined(summed))


def _print_record(manifest: Manifest, record: RecordEntry, console: Console) -> None:
    whole = (record.written_from, record.written_to) == (0, record.length)
    where = "" if whole else f", written from {record.written_from + 1:,} to {record.written_to:,}"
    counts = (
        f"  {record.length:,} bases{where}; {record.scored:,} scored, "
        f"{record.n + record.iupac:,} skipped (N {record.n:,}, IUPAC {record.iupac:,}), "
        f"{record.soft_masked:,} soft-masked"
    )
    print_prose(console, joined((record.name, "bold"), counts), hanging=INNER)
    for name, track in record.tracks.items():
        _print_track(manifest, record, name, track, console)
    lines = _objectives(record)
    lines.append(
        f"read {record.read:,} bases in {record.seconds:.1f} s: {record.bases_per_second:,.0f} bases/s, "
        f"peak memory {readable_bytes(record.peak_memory_bytes)}"
    )
    for line in lines:
        print_prose(console, joined(line), indent=INNER, hanging=INNER + INDENT)


def _print_track(manifest: Manifest, record: RecordEntry, name: str, track: TrackSummary, console: Console) -> None:
    if track.strongest == 0:
        words = joined(f"{name}: ", (_all_zero(manifest, name), "yellow"))
        print_prose(console, words, indent=INNER, hanging=INNER + INDENT)
        return
    place = "" if track.strongest_position is None else f" at {position(record.name, track.strongest_position)}"
    words = joined(f"{name}: median {number(track.median)}, strongest {number(track.strongest)}{place}")
    print_prose(console, words, indent=INNER, hanging=INNER + INDENT)
    drawn = sparkline(track.bins, console.width - INNER, marks_for(console.encoding))
    print_line(console, joined((drawn, "cyan")), INNER)


def _all_zero(manifest: Manifest, name: str) -> str:
    """Why a track is 0 wherever it was scored."""
    kind = next((track.kind for track in manifest.tracks if track.name == name), "")
    if kind == "response":
        return "0 at every base: nothing that is written here responds to this direction"
    if kind == "ghost":
        distance = manifest.settings["ghost_distance"].value if "ghost_distance" in manifest.settings else "W"
        return f"0 at every base: no effect is felt here from {distance} bases away or more (--ghost-distance)"
    given = manifest.settings["targets"].value if "targets" in manifest.settings else None
    targets = given if isinstance(given, list) else []
    if not targets:
        return "0 at every base: the objective does not depend on what is written here"
    named = ", ".join(map(str, targets[:TARGETS_SHOWN])) + (", ..." if len(targets) > TARGETS_SHOWN else "")
    return (
        f"0 at every base: the target ({named}) lies outside what is written, before it or on another record, "
        "so the objective depends on no base here"
    )


def _objectives(record: RecordEntry) -> list[str]:
    """The objective's value, for each strand that was read."""
    adjoint = [each for each in (record.adjoint, record.adjoint_reverse) if each]
    strands = [""] if len(adjoint) < 2 else [" of the forward strand", " of the reverse strand"]
    return [
        f"objective{strand} {each.objective:,.6g}{_gap(each)}" for each, strand in zip(adjoint, strands, strict=False)
    ]


def _gap(adjoint: AdjointEntry) -> str:
    if adjoint.gap is None:
        return ""
    return (
        f"; signed totals {adjoint.tangent_total:,.6g} by the tangent, {adjoint.adjoint_total:,.6g} by the adjoint "
        f"(relative gap {adjoint.gap:.1e})"
    )
