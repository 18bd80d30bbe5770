"""Carry out a plan: sweep every record, write every file, and let none appear until all are complete."""

import hashlib
import itertools
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pgf_cli import __version__
from pgf_cli.core.certificate import Certificate, certify
from pgf_cli.core.threads import available_threads, set_threads
from pgf_cli.hits import Hit
from pgf_cli.progress import Progress
from pgf_cli.runs.arrays import HALF_LARGEST, HALF_SMALLEST, HypotheticalScores, array_regions
from pgf_cli.runs.attribution import relative_gap
from pgf_cli.runs.plan import RunPlan
from pgf_cli.runs.record import RecordResult, score_record
from pgf_cli.runs.tracks import Track, direction_text, track_entry
from pgf_cli.tracks import (
    BackgroundWriter,
    BedGraphWriter,
    BigWigWriter,
    CsvWriter,
    RegionRow,
    ScoredTile,
    StagedFiles,
    TabixIndex,
    TrackLine,
    TrackWriter,
    check_outputs,
    finishing,
    needs_csi,
    readable_bytes,
    write_chrom_sizes,
    write_hits_bed,
    write_hits_tsv,
    write_regions_table,
    write_trace_table,
)
from pgf_cli.tracks.manifest import (
    SCHEMA,
    CertificateEntry,
    CheckEntry,
    FileEntry,
    Manifest,
    ModelEntry,
    Setting,
    TrackEntry,
    manifest_text,
)


@dataclass(frozen=True)
class Provenance:
    """How a run came to be: the command, and where each setting's value came from."""

    command: list[str]
    sources: Mapping[str, str]


def run(plan: RunPlan, provenance: Provenance, progress: Progress) -> Path:
    """Carry out a plan and return the path of its manifest.

    Raises:
        PgfError: an output exists or cannot be written, or a score is not a number. No file is left behind.
    """
    settings, outputs = plan.settings, plan.outputs
    started, began = datetime.now(UTC), time.perf_counter()
    check_outputs(outputs.values(), force=settings.force, expected_bytes=plan.estimated_bytes)
    progress.message(
        f"{plan.to_score:,} bases to score, {plan.to_read:,} to read; "
        f"the tracks will take about {readable_bytes(plan.estimated_bytes)}"
    )
    threads = settings.threads or available_threads()
    set_threads(threads)
    certificate = certify(plan.model, plan.probe)
    with StagedFiles(force=settings.force) as staged:
        paths = {what: staged.add(path) for what, path in outputs.items()}
        results = _score(plan, paths, progress)
        hits = [hit for result in results for hit in result.hits]
        _write_tables(plan, paths, hits)
        if "trace" in paths:
            write_trace_table(paths["trace"], [row for result in results for row in result.sources])
        manifest = Manifest(
            schema=SCHEMA,
            version=__version__,
            command=provenance.command,
            started=started.isoformat(timespec="seconds"),
            seconds=time.perf_counter() - began,
            mode=settings.mode,
            direction=direction_text(settings, plan.sites),
            strand=settings.strand,
            objective=_objective_text(plan),
            gap=_run_gap(results),
            device=str(plan.model.device),
            threads=threads,
            settings=_settings(plan, provenance),
            model=_model_entry(plan),
            tracks=[_track_entry(plan, track) for track in plan.tracks],
            records=[result.entry for result in results],
            dropped=sum(not row.kept for row in plan.selection.requested),
            certificate=_certificate_entry(plan, certificate),
            inputs=_input_entries(plan),
            outputs=[_file_entry(paths[what], path.name) for what, path in outputs.items() if what != "manifest"],
        )
        paths["manifest"].write_text(manifest_text(manifest))
    return outputs["manifest"]


def _score(plan: RunPlan, paths: Mapping[str, Path], progress: Progress) -> list[RecordResult]:
    writers = [BackgroundWriter(_writers(plan, paths))]
    progress.begin(plan.to_read)
    try:
        with finishing(writers), _arrays(plan) as arrays:
            by_record = itertools.groupby(plan.selection.passes, key=lambda sweep: sweep.contig)
            results = [score_record(plan, list(sweeps), writers, arrays, progress) for _, sweeps in by_record]
            if arrays is not None:
                arrays.write(paths["npz"])
                arrays.write_one_hot(paths["npz one-hot"], plan.genome)
    finally:
        progress.end()
    if arrays is not None and not HALF_SMALLEST <= arrays.largest <= HALF_LARGEST:
        progress.message(
            f"warning: the largest hypothetical score is {arrays.largest:.3g}; motif tools store float16, "
            "which cannot hold it: scale the scores first"
        )
    return results


def _arrays(plan: RunPlan) -> AbstractContextManager[HypotheticalScores | None]:
    if "npz" not in plan.settings.formats:
        return nullcontext()
    folder, dtype = plan.settings.prefix.parent, np.dtype(plan.settings.track_dtype)
    return HypotheticalScores(folder, array_regions(plan.selection), dtype)


def _writers(plan: RunPlan, paths: Mapping[str, Path]) -> list[TrackWriter]:
    writers: list[TrackWriter] = []
    if "csv" in plan.settings.formats:
        writers.append(CsvWriter(paths["csv"], [track.name for track in plan.tracks], bgzip=plan.settings.bgzip))
    for track in plan.tracks:
        for track_format in plan.settings.formats:
            if track_format == "bedgraph":
                path, line = paths[f"bedgraph {track.name}"], _track_line(plan, track)
                index = _index(plan, track, paths)
                writers.append(OfRecord(track.contig, BedGraphWriter(path, track.name, line, index)))
            elif track_format == "bigwig":
                sizes = list(plan.genome.lengths.items())
                path = paths[f"bigwig {track.name}"]
                writers.append(OfRecord(track.contig, BigWigWriter(path, track.name, sizes)))
    return writers


def _index(plan: RunPlan, track: Track, paths: Mapping[str, Path]) -> TabixIndex | None:
    if not plan.settings.bgzip:
        return None
    return TabixIndex(paths[f"index {track.name}"], needs_csi(plan.genome.lengths.values()))


def _track_line(plan: RunPlan, track: Track) -> TrackLine | None:
    if not plan.settings.track_line:
        return None
    entry = _track_entry(plan, track)
    return TrackLine(f"{plan.settings.prefix.name} {track.name}", f"{entry.quantity}; {entry.unit}")


class OfRecord:
    """Passes on the tiles of one record only, or of all."""

    def __init__(self, contig: str | None, writer: TrackWriter) -> None:
        self._contig, self._writer = contig, writer

    def write(self, tile: ScoredTile) -> None:
        """Add a tile if it is of the record."""
        if self._contig in (None, tile.contig):
            self._writer.write(tile)

    def close(self) -> None:
        """Complete the file."""
        self._writer.close()

    def discard(self) -> None:
        """Let go of the file."""
        self._writer.discard()


def _write_tables(plan: RunPlan, paths: Mapping[str, Path], hits: Sequence[Hit]) -> None:
    write_hits_bed(paths["hits_bed"], hits, plan.genome.names)
    write_hits_tsv(paths["hits_tsv"], hits)
    write_chrom_sizes(paths["chrom_sizes"], plan.genome.lengths.items())
    rows = [
        RegionRow(
            *row.region,
            name=None if row.name == "." else row.name,
            status="kept" if row.kept else "dropped",
            reason=row.reason or None,
            bases_scored=counts.scored,
            n=counts.n + counts.iupac,
            soft_masked=counts.soft_masked,
            iupac=counts.iupac,
        )
        for row, counts in zip(plan.selection.requested, plan.counts, strict=True)
    ]
    write_regions_table(paths["regions"], rows)


def _settings(plan: RunPlan, provenance: Provenance) -> dict[str, Setting]:
    def plain(value: Any) -> Any:
        if isinstance(value, Path):
            return str(value)
        return list(value) if isinstance(value, tuple) else value

    return {
        name: Setting(plain(value), provenance.sources.get(name, "default"))
        for name, value in asdict(plan.settings).items()
    }


def _model_entry(plan: RunPlan) -> ModelEntry:
    checkpoint = plan.checkpoint
    return ModelEntry(
        path=str(checkpoint.path),
        layout=checkpoint.layout,
        architecture=checkpoint.architecture,
        sizes=asdict(checkpoint.config),
        parameters=sum(parameter.numel() for parameter in plan.model.parameters()),
        alphabet=checkpoint.alphabet,
        alphabet_source=checkpoint.alphabet_source,
        output_layer=plan.model.output,
        note=checkpoint.note,
        ignored=list(checkpoint.ignored),
    )


def _track_entry(plan: RunPlan, track: Track) -> TrackEntry:
    return track_entry(track, plan.settings, plan.sites, plan.model.output, _objective_text(plan))


def _objective_text(plan: RunPlan) -> str | None:
    return plan.objective.text(plan.model.output) if plan.objective else None


def _run_gap(results: Sequence[RecordResult]) -> float | None:
    """Between the run's two signed totals; None where there were not both sweeps."""
    adjoints = [result.entry.adjoint for result in results if result.entry.adjoint]
    tangent = [adjoint.tangent_total for adjoint in adjoints if adjoint.tangent_total is not None]
    return relative_gap(sum(tangent), sum(adjoint.adjoint_total for adjoint in adjoints)) if tangent else None


def _certificate_entry(plan: RunPlan, certificate: Certificate) -> CertificateEntry:
    first = plan.selection.spans[0]
    return CertificateEntry(
        probe=f"the first {certificate.probe_bases} non-N bases from {first.contig}:{first.start + 1:,} on",
        probe_bases=certificate.probe_bases,
        deep_probe=None,
        precision=None,
        checks=[
            CheckEntry(check.name, check.detail, check.error, check.threshold, check.passed)
            for check in certificate.checks
        ],
        passed=certificate.passed,
    )


def _input_entries(plan: RunPlan) -> list[FileEntry]:
    bed = [path for path in (plan.settings.bed, plan.settings.pulses_bed) if path]
    return [_file_entry(path, str(path)) for path in (plan.settings.fasta, *plan.checkpoint.files, *bed)]


def _file_entry(path: Path, name: str) -> FileEntry:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileEntry(name, path.stat().st_size, digest)
