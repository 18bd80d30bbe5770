"""Carry out a plan: sweep every record, write every file, and let none appear until all are complete."""

import hashlib
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pgf_cli import __version__
from pgf_cli.core.certificate import Certificate, certify
from pgf_cli.core.threads import available_threads, set_threads
from pgf_cli.progress import Progress
from pgf_cli.runs.attribution import relative_gap
from pgf_cli.runs.plan import RunPlan
from pgf_cli.runs.record import RecordResult, score_record
from pgf_cli.runs.tracks import Track, direction_text, track_entry
from pgf_cli.tracks.background import BackgroundWriter
from pgf_cli.tracks.chrom_sizes import write_chrom_sizes
from pgf_cli.tracks.estimates import readable_bytes
from pgf_cli.tracks.hit_files import HitsBedWriter, HitsTsvWriter
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
from pgf_cli.tracks.outputs import open_formats
from pgf_cli.tracks.regions_table import RegionRow, write_regions_table
from pgf_cli.tracks.staging import StagedFiles, check_outputs
from pgf_cli.tracks.tile import finishing
from pgf_cli.tracks.trace_table import trace_table


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
        _write_tables(plan, paths, results, progress)
        if "trace" in paths:
            with trace_table(paths["trace"]) as table:
                for result in results:
                    table.write(result.sources)
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
    writers = [BackgroundWriter(open_formats(plan.formats, plan.request, paths))]
    progress.begin(plan.to_read)
    try:
        with finishing(writers):
            by_record = itertools.groupby(plan.selection.sweeps, key=lambda sweep: sweep.contig)
            results = [score_record(plan, list(sweeps), writers, progress) for _, sweeps in by_record]
    finally:
        progress.end()
    for warning in writers[0].warnings():
        progress.message(f"warning: {warning}")
    return results


def _write_tables(
    plan: RunPlan, paths: Mapping[str, Path], results: Sequence[RecordResult], progress: Progress
) -> None:
    bed, tsv = HitsBedWriter(paths["hits_bed"]), HitsTsvWriter(paths["hits_tsv"])
    for result in results:
        bed.write(result.hits)
        tsv.write(result.hits)
    bed.close()
    tsv.close()
    for warning in bed.warnings():
        progress.message(f"warning: {warning}")
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
