"""The terminal report of a finished run, printed from its files alone."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from pgf_cli.hits import Hit
from pgf_cli.reports.sparkline import sparkline
from pgf_cli.tracks import TraceRow, read_hits_tsv, read_trace_table, readable_bytes
from pgf_cli.tracks.manifest import AdjointEntry, GhostEntry, Manifest, RecordEntry, read_manifest

RECORDS_IN_FULL = 20
HITS_SHOWN = 10
SOURCES_SHOWN = 3
SWEEPS = {"tangent": "tangent sweep", "adjoint": "adjoint sweep", "both": "tangent and adjoint sweeps"}


def print_report(manifest_path: Path, console: Console) -> None:
    """Print the report of the run whose manifest this is.

    Raises:
        PgfError: the manifest or the hits cannot be read.
    """
    manifest = read_manifest(manifest_path)
    files = {Path(entry.path).name: manifest_path.with_name(entry.path) for entry in manifest.outputs}
    hits = read_hits_tsv(next(path for name, path in files.items() if name.endswith(".hits.tsv")))
    _print_run(manifest, console)
    _print_records(manifest, console)
    traces = [row for name, path in files.items() if name.endswith(".trace.tsv") for row in read_trace_table(path)]
    _print_hits(manifest, hits, traces, console)
    _print_certificate(manifest, console)
    _print_files(manifest, manifest_path, console)


def position(chrom: str, start: int) -> str:
    """Return a 0-based position as browsers take it: 1-based, with thousands commas."""
    return f"{chrom}:{start + 1:,}"


def number(value: float | None) -> str:
    """Return a value with four significant digits, NA for none."""
    return "NA" if value is None else f"{value:.4g}"


def length(bases: int | None) -> str:
    """Return a number of bases, NA for none."""
    return "NA" if bases is None else f"{bases:,}"


def _print_run(manifest: Manifest, console: Console) -> None:
    model, settings = manifest.model, manifest.settings
    layers = f"{model.sizes['n_layer']} layers, " if "n_layer" in model.sizes else ""
    width = f"width {model.sizes['d_model']}, " if "d_model" in model.sizes else ""
    _heading(console, f"pgf-sensitivity {manifest.version}: {SWEEPS[manifest.mode]} of {settings['fasta'].value}")
    rows = [
        (
            "model",
            f"{model.path} ({model.architecture}, {layers}{width}"
            f"{model.parameters:,} parameters; {settings['dtype'].value} on {manifest.device})",
        ),
        ("alphabet", f"{_alphabet(model.alphabet)} (from {model.alphabet_source})"),
        *([("note", model.note)] if model.note else []),
        *([("objective", manifest.objective)] if manifest.objective else []),
        ("direction", manifest.direction + (", read on the reverse strand" if manifest.strand == "reverse" else "")),
        *((track.name, f"{track.quantity}; {track.unit}; {track.sign}") for track in manifest.tracks),
        ("positions", "1-based here; 0-based half-open in the files"),
    ]
    _print_pairs(rows, console)


def _print_records(manifest: Manifest, console: Console) -> None:
    _heading(console, "records")
    if manifest.dropped:
        console.print(f"  {manifest.dropped:,} requested regions were dropped; regions.tsv says why", style="yellow")
    for record in manifest.records[:RECORDS_IN_FULL]:
        _print_record(record, console)
    rest = manifest.records[RECORDS_IN_FULL:]
    if rest:
        console.print(
            f"  ... and {len(rest):,} more records: {sum(record.scored for record in rest):,} bases scored, "
            f"{sum(record.n + record.iupac for record in rest):,} skipped; all of them are in run.json"
        )


def _print_record(record: RecordEntry, console: Console) -> None:
    whole = (record.written_from, record.written_to) == (0, record.length)
    where = "" if whole else f", written from {record.written_from + 1:,} to {record.written_to:,}"
    console.print(
        f"  [bold]{escape(record.name)}[/bold]  {record.length:,} bases{where}; {record.scored:,} scored, "
        f"{record.n + record.iupac:,} skipped (N {record.n:,}, IUPAC {record.iupac:,}), "
        f"{record.soft_masked:,} soft-masked"
    )
    for name, track in record.tracks.items():
        place = "" if track.strongest_position is None else f" at {position(record.name, track.strongest_position)}"
        console.print(f"    {name}: median {number(track.median)}, strongest {number(track.strongest)}{escape(place)}")
        console.print(f"    [cyan]{sparkline(track.bins)}[/cyan]")
    if record.adjoint:
        console.print(f"    objective {record.adjoint.objective:,.6g}{_gap(record.adjoint)}")
    console.print(
        f"    read {record.read:,} bases in {record.seconds:.1f} s: {record.bases_per_second:,.0f} bases/s, "
        f"peak memory {readable_bytes(record.peak_memory_bytes)}"
    )


def _gap(adjoint: AdjointEntry) -> str:
    if adjoint.gap is None:
        return ""
    return (
        f"; signed totals {adjoint.tangent_total:,.6g} by the tangent, {adjoint.adjoint_total:,.6g} by the adjoint "
        f"(relative gap {adjoint.gap:.1e})"
    )


def _print_traces(traces: Sequence[TraceRow], console: Console) -> None:
    _heading(console, "sources of ghost pulses: where the strongest come from (share of the ghost)")
    by_hit = groupby(traces, key=lambda row: (row.chrom, row.hit_start))
    for (chrom, start), rows in islice(by_hit, HITS_SHOWN):
        sources = "; ".join(
            f"{position(chrom, row.start)} {row.base}, {row.distance:,} b, {row.share:+.2%}"
            for row in islice(rows, SOURCES_SHOWN)
        )
        console.print(f"  {escape(position(chrom, start))} from {escape(sources)}")


def _print_hits(manifest: Manifest, hits: Sequence[Hit], traces: Sequence[TraceRow], console: Console) -> None:
    shown_records = {record.name for record in manifest.records[:RECORDS_IN_FULL]}
    shown = [hit for hit in hits if hit.chrom in shown_records]
    kinds = {track.name: track.kind for track in manifest.tracks}
    titles = {"response": "hits", "ghost": "ghost pulses"}
    for kind in dict.fromkeys(kinds.values()):
        of_kind = [hit for hit in shown if kinds[hit.track] == kind]
        _print_hit_table(titles.get(kind, f"{kind} hits"), manifest, of_kind, console)
    if traces:
        _print_traces(traces, console)


def _print_hit_table(title: str, manifest: Manifest, hits: Sequence[Hit], console: Console) -> None:
    best = sorted(hits, key=lambda hit: -abs(hit.value))[:HITS_SHOWN]
    distance = manifest.settings["hit_distance"].value
    _heading(
        console,
        f"{title}: the {len(best)} highest of {len(hits)} called "
        f"(local maxima within {distance} bases; no p-value is implied)",
    )
    if not best:
        console.print("  none")
        return
    ghosts = {(record.name, name): ghost for record in manifest.records for name, ghost in record.ghosts.items()}
    columns = _hit_columns(best, ghosts)
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for name, column in columns.items():
        table.add_column(name, justify="left" if column.left else "right", no_wrap=True)
    for hit in best:
        table.add_row(*(escape(column.text(hit)) for column in columns.values()))
    console.print(Padding(table, (0, 0, 0, 2)))


class Column(NamedTuple):
    """A column of a table of hits."""

    text: Callable[[Hit], str]
    left: bool = False


def _hit_columns(hits: Sequence[Hit], ghosts: Mapping[tuple[str, str], GhostEntry]) -> dict[str, Column]:
    """The columns that say something about these hits."""

    def ghost(hit: Hit) -> GhostEntry:
        return ghosts[hit.chrom, hit.name]

    columns = {
        "position": Column(lambda hit: position(hit.chrom, hit.start), left=True),
        "value": Column(lambda hit: number(hit.value)),
    }
    if all((hit.chrom, hit.name) in ghosts for hit in hits):
        columns["of response"] = Column(lambda hit: f"{ghost(hit).share:.2%}" if ghost(hit).share >= 1e-4 else "<0.01%")
        if not any(hit.pulse for hit in hits):
            columns["from at least"] = Column(lambda hit: f"{ghost(hit).upstream:,} b")
    columns |= {
        "percentile": Column(lambda hit: f"{hit.percentile:.3f}"),
        "robust z": Column(lambda hit: number(hit.robust_z)),
    }
    if any(hit.fdr is not None for hit in hits):
        columns["FDR"] = Column(lambda hit: number(hit.fdr))
    if any(hit.pulse for hit in hits):
        columns |= {
            "pulse": Column(lambda hit: hit.pulse or "NA", left=True),
            "lag": Column(lambda hit: length(hit.lag)),
            "half-life": Column(lambda hit: length(hit.half_life)),
            "reach": Column(lambda hit: length(hit.reach)),
        }
    columns["context, the hit in brackets"] = Column(lambda hit: hit.context, left=True)
    if any(hit.flags for hit in hits):
        columns["flags"] = Column(lambda hit: ", ".join(hit.flags), left=True)
    return columns


def _print_certificate(manifest: Manifest, console: Console) -> None:
    certificate = manifest.certificate
    verdict = "[green]passed[/green]" if certificate.passed else "[bold red]FAILED[/bold red]"
    _heading(console, f"certificate of exactness: {verdict}", markup=True)
    console.print(f"  on {escape(certificate.probe)}; relative errors of the derivative in the 2-norm")
    if manifest.gap is not None:
        console.print(f"  the run's two signed totals, by the tangent and by the adjoint, differ by {manifest.gap:.1e}")
    for check in certificate.checks:
        console.print(
            f"  {'[green]pass[/green]' if check.passed else '[bold red]FAIL[/bold red]'}  "
            f"{escape(check.name)} ({escape(check.detail)}): {check.error:.1e}, threshold {check.threshold:.0e}"
        )


def _print_files(manifest: Manifest, manifest_path: Path, console: Console) -> None:
    _heading(console, "files")
    for entry in manifest.outputs:
        console.print(f"  {escape(str(manifest_path.with_name(entry.path)))}  ({readable_bytes(entry.bytes)})")
    console.print(f"  {escape(str(manifest_path))}")


def _heading(console: Console, text: str, *, markup: bool = False) -> None:
    console.print()
    console.print(text if markup else escape(text), style="bold")


def _print_pairs(rows: Iterable[tuple[str, str]], console: Console) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for name, text in rows:
        grid.add_row(escape(name), escape(text))
    console.print(Padding(grid, (0, 0, 0, 2)))


def _alphabet(ids: dict[str, int]) -> str:
    return ", ".join(f"{letter} = {row}" for letter, row in ids.items())
