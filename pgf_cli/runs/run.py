"""Carry out a plan: compute its segments, assemble every record, and put all files in place together."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from pgf_cli.core.certificate import certify
from pgf_cli.core.threads import available_threads, set_threads
from pgf_cli.errors import Advised
from pgf_cli.interrupts import deferred, raise_pending
from pgf_cli.progress import Progress
from pgf_cli.runs.assembly import PassSums, RecordResult, assemble_record
from pgf_cli.runs.compute import Computer, GroupParts
from pgf_cli.runs.context import RecordContext, record_context
from pgf_cli.runs.groups import Group
from pgf_cli.runs.inputs import check_inputs
from pgf_cli.runs.key import run_key
from pgf_cli.runs.kinds import kinds_of
from pgf_cli.runs.plan import RunPlan
from pgf_cli.runs.provenance import Provenance, run_manifest
from pgf_cli.runs.store import PartStore
from pgf_cli.runs.tables import write_regions
from pgf_cli.runs.values import HeldPass
from pgf_cli.tracks.background import BackgroundWriter
from pgf_cli.tracks.chrom_sizes import write_chrom_sizes
from pgf_cli.tracks.disk import translate_os_errors
from pgf_cli.tracks.estimates import readable_bytes
from pgf_cli.tracks.folder import RunFolder
from pgf_cli.tracks.hit_files import HitsBedWriter, HitsTsvWriter
from pgf_cli.tracks.manifest import RecordEntry, manifest_text
from pgf_cli.tracks.output_set import OutputSet, finish_commit
from pgf_cli.tracks.outputs import open_formats
from pgf_cli.tracks.staging import check_outputs
from pgf_cli.tracks.tile import TrackWriter, finishing
from pgf_cli.tracks.trace_table import trace_table


@dataclass(frozen=True)
class Totals:
    """What the certificate wants to know of the whole run."""

    tangent: float | None
    adjoint: float
    magnitude: float


def run(plan: RunPlan, provenance: Provenance, progress: Progress) -> Path:
    """Carry out a plan and return the path of its manifest.

    Raises:
        PgfError: an output exists or cannot be written, an unfinished run is there, an input changed, or a score is
            not a number. No output file is left behind; segments that are done are kept for ``resume``.
        Interrupted: a signal asked to stop.
    """
    settings = plan.settings
    with RunFolder.hold(settings.prefix) as folder:
        if placed := finish_commit(folder.path):
            progress.message(f"{len(placed)} files of an earlier run that was broken off are in place now")
        check_outputs(plan.outputs.values(), force=settings.force, expected_bytes=plan.estimated_bytes)
        several = len(plan.groups) > 1 or len(_bounds(plan)) > 0
        store = PartStore(folder, run_key(plan), durable=several)
        if store.settle(resume=settings.resume, force=settings.force):
            progress.message(f"going on with the unfinished run in {folder.path}")
        outputs = OutputSet(folder.path, force=settings.force)
        try:
            return _carry_out(plan, provenance, progress, store, outputs)
        except BaseException as error:
            if folder.kept and isinstance(error, Advised) and error.advice is None:
                error.advice = (
                    f"what is done is kept in {folder.path}; give the same command with --resume to go on from there"
                )
            raise
        finally:
            outputs.discard()


def _bounds(plan: RunPlan) -> list[int]:
    """Passes that are cut in segments."""
    return [
        group.number
        for group in plan.groups
        if len(group.passes) == 1 and group.passes[0].end - group.passes[0].start > plan.settings.segment
    ]


def _carry_out(
    plan: RunPlan, provenance: Provenance, progress: Progress, store: PartStore, outputs: OutputSet
) -> Path:
    started, began = datetime.now(UTC), time.perf_counter()
    progress.message(
        f"{plan.to_score:,} bases to score, {plan.to_read:,} to read; "
        f"the tracks will take about {readable_bytes(plan.estimated_bytes)}"
    )
    threads = plan.settings.threads or available_threads()
    set_threads(threads)
    certificate = certify(plan.model, plan.probe)
    paths = {what: outputs.stage(path) for what, path in plan.outputs.items()}
    entries = _score(plan, paths, progress, store)
    write_chrom_sizes(paths["chrom_sizes"], plan.genome.lengths.items())
    write_regions(paths["regions"], plan.selection.requested, plan.counts)
    check_inputs(plan)
    manifest = run_manifest(
        plan,
        provenance,
        certificate,
        entries,
        paths,
        started=started,
        seconds=time.perf_counter() - began,
        threads=threads,
    )
    with translate_os_errors(plan.outputs["manifest"]):
        paths["manifest"].write_text(manifest_text(manifest), encoding="utf-8")
    outputs.commit(plan.outputs["manifest"])
    store.forget()
    return plan.outputs["manifest"]


def _score(plan: RunPlan, paths: Mapping[str, Path], progress: Progress, store: PartStore) -> list[RecordEntry]:
    """Compute group after group; as soon as a record is complete, assemble it."""
    writer = BackgroundWriter(open_formats(plan.formats, plan.request, paths))
    bed, tsv = HitsBedWriter(paths["hits_bed"]), HitsTsvWriter(paths["hits_tsv"])
    entries: list[RecordEntry] = []
    progress.begin(plan.to_read)
    try:
        with finishing([writer, bed, tsv]):
            for result in _results(plan, progress, store, [writer]):
                entries.append(result.entry)
                bed.write(result.hits)
                tsv.write(result.hits)
    finally:
        progress.end()
    for warning in [*writer.warnings(), *bed.warnings()]:
        progress.message(f"warning: {warning}")
    return entries
