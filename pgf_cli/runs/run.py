"""Carry out a plan: compute its segments, assemble every record, and put all files in place together."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path

from pgf_cli.core.threads import sweeping_on
from pgf_cli.errors import advise
from pgf_cli.genome import Reading
from pgf_cli.interrupts import deferred
from pgf_cli.progress import Progress
from pgf_cli.runs.assembly import RecordResult, assemble_record
from pgf_cli.runs.certificates import run_certificate, with_totals
from pgf_cli.runs.compute import Computer, GroupParts
from pgf_cli.runs.context import record_context
from pgf_cli.runs.inputs import check_inputs
from pgf_cli.runs.key import run_key
from pgf_cli.runs.kinds import kinds_of
from pgf_cli.runs.plan import RunPlan
from pgf_cli.runs.provenance import Course, Provenance, plain_settings, run_manifest
from pgf_cli.runs.store import Key, PartStore, check_unfinished
from pgf_cli.runs.tables import write_regions
from pgf_cli.runs.totals import RunTotals
from pgf_cli.runs.values import HeldPass, HeldReading, PassSums
from pgf_cli.tracks.background import BackgroundWriter
from pgf_cli.tracks.chrom_sizes import write_chrom_sizes
from pgf_cli.tracks.disk import translate_os_errors
from pgf_cli.tracks.estimates import readable_bytes
from pgf_cli.tracks.folder import RunFolder, check_not_held, parts_folder
from pgf_cli.tracks.hit_files import HitsBedWriter, HitsTsvWriter
from pgf_cli.tracks.manifest import ManifestError, manifest_text, read_manifest, record_text
from pgf_cli.tracks.output_set import OutputSet, finish_commit
from pgf_cli.tracks.outputs import open_formats
from pgf_cli.tracks.staging import check_outputs, make_folder
from pgf_cli.tracks.tile import Ended, finishing
from pgf_cli.tracks.trace_table import trace_table
from pgf_cli.tracks.verification import check_outputs_of

NOT_OF_THE_RESULT = {"force", "resume", "threads", "snapshot_budget", "snapshots_on_disk", "feature_budget"}
"""Settings that change nothing in any output but the manifest."""


def run(plan: RunPlan, provenance: Provenance, progress: Progress) -> Path:
    """Carry out a plan and return the path of its manifest.

    Raises:
        PgfError: an output exists or cannot be written, an unfinished run is there, an input changed, or a score is
            not a number. No output file is left behind; segments that are done are kept for ``resume``.
        Interrupted: a signal asked to stop.
    """
    settings, key = plan.settings, run_key(plan)
    if settings.folder_to_make:
        make_folder(settings.folder_to_make)
    store = outputs = None
    try:
        with RunFolder.hold(settings.prefix) as folder:
            if placed := finish_commit(folder):
                progress.message(
                    f"an earlier run died while it put its {len(placed)} files in place: all are there now"
                )
            if settings.resume and _is_complete(plan, key):
                progress.message(f"{plan.outputs['manifest']} is complete: nothing is left to do")
                return plan.outputs["manifest"]
            store = PartStore(folder, key, durable=_has_segments(plan))
            if store.settle(resume=settings.resume, force=settings.force):
                progress.message(f"going on with what is done in {folder.path}")
            check_outputs(plan.outputs.values(), force=settings.force, expected_bytes=plan.room, room=folder.path)
            outputs = OutputSet(folder, force=settings.force)
            try:
                with sweeping_on(settings.threads) as threads:
                    _carry_out(plan, key, provenance, progress, store, outputs, threads)
            finally:
                outputs.discard()
    except BaseException as error:
        if outputs and outputs.in_place:
            advise(error, f"the run is complete: {plan.outputs['manifest']} and all that it lists are in place")
        elif store and store.kept:
            kept = parts_folder(settings.prefix)
            advise(error, f"what is done is kept in {kept}; give the same command with --resume to go on")
        raise
    return plan.outputs["manifest"]


def check_run(plan: RunPlan) -> None:
    """Raise what `run` would refuse before it computes anything; nothing is made or changed."""
    settings, key = plan.settings, run_key(plan)
    check_not_held(settings.prefix)
    if settings.resume and _is_complete(plan, key):
        return
    check_unfinished(parts_folder(settings.prefix), key, resume=settings.resume, force=settings.force)
    check_outputs(
        plan.outputs.values(),
        force=settings.force,
        expected_bytes=plan.room,
        to_make=settings.folder_to_make,
    )


def _has_segments(plan: RunPlan) -> bool:
    """Whether a run is more than one segment, so that some of it can be done while another is not."""
    return len(plan.groups) > 1 or any(one.end - one.start > plan.settings.segment for one in plan.groups[0].passes)


def _is_complete(plan: RunPlan, key: Key) -> bool:
    """Whether this very run's files are in place already, and still what it wrote."""
    with suppress(ManifestError):
        if not all(path.exists() for path in plan.outputs.values()):
            return False
        manifest = read_manifest(plan.outputs["manifest"])
        names = {path.name for what, path in plan.outputs.items() if what != "manifest"}
        there = {name: setting.value for name, setting in manifest.settings.items()}
        same = all(
            there.get(name) == value
            for name, value in plain_settings(plan.settings).items()
            if name not in NOT_OF_THE_RESULT
        )
        same = same and manifest.key == key and {entry.path for entry in manifest.outputs} == names
        return same and all(one.state == "ok" for one in check_outputs_of(plan.outputs["manifest"]))
    return False


def _carry_out(
    plan: RunPlan,
    key: Key,
    provenance: Provenance,
    progress: Progress,
    store: PartStore,
    outputs: OutputSet,
    threads: int,
) -> None:
    started, began = datetime.now(UTC), time.perf_counter()
    progress.message(
        f"{plan.to_score:,} bases to score, {plan.to_read:,} to read; "
        f"the tracks will take about {readable_bytes(plan.estimated_bytes)}"
    )
    certificate = run_certificate(plan)
    staged = {path: outputs.stage(path) for path in plan.outputs.values()}
    records, totals = _score(plan, staged, progress, store)
    write_chrom_sizes(staged[plan.outputs["chrom_sizes"]], plan.genome.lengths.items())
    for warning in write_regions(staged[plan.outputs["regions"]], plan.selection.requested, plan.counts):
        progress.warn(warning)
    check_inputs(plan)
    course = Course(started, time.perf_counter() - began, threads)
    final = plan.outputs["manifest"]
    written = {path: content for path, content in staged.items() if path != final}
    certificate = with_totals(plan, certificate, totals)
    manifest = run_manifest(plan, key, provenance, course, certificate, totals, written)
    with translate_os_errors(final):
        staged[final].write_text(manifest_text(manifest, records), encoding="utf-8")
    outputs.commit(final)


def _score(
    plan: RunPlan, staged: dict[Path, Path], progress: Progress, store: PartStore
) -> tuple[list[str], RunTotals]:
    """Compute group after group; as soon as a record is complete, write what is said of it; return their texts."""
    paths = {what: staged[path] for what, path in plan.outputs.items()}
    tracks = BackgroundWriter(open_formats(plan.formats, plan.request, paths))
    bed, tsv = HitsBedWriter(paths["hits_bed"]), HitsTsvWriter(paths["hits_tsv"])
    trace = trace_table(paths["trace"]) if "trace" in paths else None
    writers: list[Ended] = [tracks, bed, tsv, *([trace] if trace else [])]
    texts, totals = list[str](), RunTotals()
    try:
        with finishing(writers):
            for result in _results(plan, progress, store, tracks):
                texts.append(record_text(result.entry))
                totals.add(result)
                bed.write(result.hits)
                tsv.write(result.hits)
                if trace:
                    trace.write(result.sources)
    finally:
        progress.end()
    for warning in [*tracks.warnings(), *bed.warnings(), *tsv.warnings()]:
        progress.warn(warning)
    return texts, totals


def _results(plan: RunPlan, progress: Progress, store: PartStore, tracks: BackgroundWriter) -> Iterator[RecordResult]:
    """Yield what becomes of each record, in the FASTA's order."""
    context = lru_cache(2)(partial(record_context, plan))
    kinds, passes = kinds_of(plan), plan.selection.passes
    computer = Computer(plan, store, progress)
    progress.begin(plan.to_read, done=computer.done(plan.groups, kinds, context) if store.kept else 0)
    held, sums = defaultdict[Reading, list[HeldPass]](list), defaultdict[Reading, list[PassSums]](list)
    for group in plan.groups:
        parts = [GroupParts(plan, store, group, kind, context(group.passes[0].reading)) for kind in kinds]
        check_inputs(plan)
        with deferred() as stop:
            done = [computer.compute(each, context, stop) for each in parts]
        check_inputs(plan)
        for member, one in enumerate(group.passes):
            held[one.reading].append(HeldPass(parts, member))
            sums[one.reading].append(
                {each.kind.name: of_kind[member] for each, of_kind in zip(parts, done, strict=True)}
            )
            following = group.first + member + 1
            if following == len(passes) or passes[following].contig != one.contig:
                progress.advance(0, f"{one.contig}, writing")
                readings = [
                    HeldReading(context(reading), plan.selection.by_reading[reading], held[reading], sums[reading])
                    for reading in plan.selection.readings_of(one.contig)
                ]
                yield assemble_record(readings, [tracks])
                held.clear()
                sums.clear()
