"""The terminal report of a finished run, printed from its files alone."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console

from pgf_cli.reports.hit_tables import print_hits, print_traces
from pgf_cli.reports.model_sizes import sizes_in
from pgf_cli.reports.page import INDENT, joined, print_heading, print_line, print_prose
from pgf_cli.reports.run_certificate import print_run_certificate
from pgf_cli.reports.run_records import print_records
from pgf_cli.reports.tables import print_pairs
from pgf_cli.tracks.estimates import readable_bytes
from pgf_cli.tracks.hit_files import read_hits_tsv
from pgf_cli.tracks.manifest import Manifest, ManifestError, ModelCode, ModelEntry
from pgf_cli.tracks.run_files import open_manifest, output_paths
from pgf_cli.tracks.trace_table import read_trace_table

SWEEPS = {"tangent": "tangent sweep", "adjoint": "adjoint sweep", "both": "tangent and adjoint sweeps"}
STRANDS = {
    "reverse": "the reverse complement is read, so that what is upstream lies at higher positions; positions are "
    "forward ones",
    "both": "both are read, and each has its tracks: .forward, and .reverse, where what is upstream lies at higher "
    "positions; positions are forward ones",
    "average": "both are read, and each value is the mean of the two readings: what is upstream of either counts; "
    "positions are forward ones",
}
SETTINGS = ("fasta", "dtype", "hit_distance")
"""What a report needs of the settings."""
IGNORED_SHOWN = 5
HITS_SUFFIX = ".hits.tsv"
TRACE_SUFFIX = ".trace.tsv"


def print_report(manifest_path: Path, console: Console, *, verbose: bool = False) -> None:
    """Print the report of the run whose manifest this is.

    Every position and value that is shown is shown whole at any width of the console, in the same order.

    Args:
        manifest_path: of the run; its tables lie beside it.
        console: where to print.
        verbose: whether every check of a passed certificate is shown.

    Raises:
        PgfError: the manifest or a table cannot be read, or they do not belong together.
    """
    manifest = open_manifest(manifest_path)
    _check_settings(manifest_path, manifest)
    files = output_paths(manifest_path, manifest)
    tables = [path for path in files if path.name.endswith(HITS_SUFFIX)]
    if len(tables) != 1:
        raise ManifestError(f"{manifest_path} names {len(tables)} tables of hits, not 1: it is not as `run` wrote it")
    _check_ordinary(path for path in files if path.name.endswith((HITS_SUFFIX, TRACE_SUFFIX)))
    hits = read_hits_tsv(tables[0])
    traces = [row for path in files if path.name.endswith(TRACE_SUFFIX) for row in read_trace_table(path)]
    kinds = {track.name: track.kind for track in manifest.tracks}
    if unknown := next((hit.track for hit in hits if hit.track not in kinds), None):
        raise ManifestError(f"{tables[0]} has hits of {unknown!r}, which is no track of {manifest_path}")
    _print_run(manifest, console)
    print_records(manifest, console)
    print_hits(manifest, hits, tables[0].name, console)
    if traces:
        print_traces(traces, hits, console)
    print_run_certificate(manifest, console, verbose=verbose)
    _print_files(manifest, manifest_path, console)


def _check_settings(path: Path, manifest: Manifest) -> None:
    if lacking := [name for name in SETTINGS if name not in manifest.settings]:
        raise ManifestError(
            f"{path} lacks the setting {lacking[0]}: it is not as `run` wrote it; run again to make one"
        )


def _check_ordinary(tables: Iterable[Path]) -> None:
    for path in tables:
        # What is missing is said by whoever reads it.
        if path.exists() and not path.is_file():
            raise ManifestError(f"{path} is no ordinary file any more; run again with --force")


def _print_run(manifest: Manifest, console: Console) -> None:
    settings = manifest.settings
    sweeps = SWEEPS.get(manifest.mode, f"{manifest.mode} sweep")
    print_heading(console, f"pgf-sensitivity {manifest.version}: {sweeps} of {settings['fasta'].value}")
    model = manifest.model
    rows = [
        ("model", f"{model.path} ({_sizes(model)}; {_number_format(manifest)} on {manifest.device})"),
        *([("model's code", _code(model.code))] if model.code else []),
        ("alphabet", f"{_alphabet(model.alphabet)} (from {model.alphabet_source})"),
        *([("note", model.note)] if model.note else []),
        *([("ignored tensors", _ignored(model.ignored))] if model.ignored else []),
        *([("objective", manifest.objective)] if manifest.objective else []),
        ("direction", manifest.direction),
        *([("strand", STRANDS[manifest.strand])] if manifest.strand in STRANDS else []),
        *((track.name, f"{track.quantity}; {track.unit}; {track.sign}") for track in manifest.tracks),
        ("positions", "1-based here; 0-based half-open in the files"),
    ]
    print_pairs(rows, console)


def _sizes(model: ModelEntry) -> str:
    sizes = "".join(f", {name} {value:,}" for name, value in sizes_in(model.sizes).items())
    return f"{model.architecture}{sizes}; {model.parameters:,} parameters"


def _number_format(manifest: Manifest) -> str:
    computed, stored = str(manifest.settings["dtype"].value), manifest.model.stored_as
    return computed if stored in ([], [computed]) else f"stored as {' and '.join(stored)}, computed in {computed}"


def _code(code: ModelCode) -> str:
    return f"{code.name}, your own family in {code.path} (sha256 {code.sha256[:16]})"


def _ignored(tensors: list[str]) -> str:
    more = len(tensors) - IGNORED_SHOWN
    names = ", ".join(tensors[:IGNORED_SHOWN]) + (f" and {more:,} more, named in the manifest" if more > 0 else "")
    return f"{names} (in the checkpoint's files, no part of the model)"


def _alphabet(ids: dict[str, int]) -> str:
    return ", ".join(f"{letter} = {row}" for letter, row in ids.items())


def _print_files(manifest: Manifest, manifest_path: Path, console: Console) -> None:
    print_heading(console, "files")
    for path, written in zip(output_paths(manifest_path, manifest), manifest.outputs, strict=True):
        line = joined(str(path), f"  ({readable_bytes(written.bytes)})", *_since(path, written.bytes))
        print_prose(console, line, hanging=2 * INDENT)
    print_line(console, joined(str(manifest_path)))


def _since(path: Path, written: int) -> Iterator[tuple[str, str]]:
    """What has become of a file since, as far as a look at it tells."""
    try:
        now = path.stat().st_size
    except OSError as error:
        yield f"  {'missing' if isinstance(error, FileNotFoundError) else error.strerror}", "bold red"
        return
    if now != written:
        yield f"  changed: {now:,} bytes now, {written:,} when it was written", "bold red"
