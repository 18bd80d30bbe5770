"""What a run will do, found out before it computes: everything that can be refused is refused here."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from pgf_cli.checkpoints import AlphabetError, Checkpoint, read_checkpoint
from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.certificate import take_probe
from pgf_cli.core.models import StreamingModel
from pgf_cli.core.tiles import default_tile
from pgf_cli.errors import PgfError, UsageError
from pgf_cli.genome import (
    BaseCounts,
    Genome,
    PulseSite,
    ReadPass,
    Region,
    Selection,
    decode,
    mirror,
    parse_pulse,
    parse_region,
    read_pulses,
    select,
)
from pgf_cli.runs.objective import ObjectivePlan, output_layer_of, plan_objective
from pgf_cli.runs.tracks import Track, planned_tracks, track_entry
from pgf_cli.settings import RunSettings
from pgf_cli.tracks.manifest import MANIFEST_SUFFIX
from pgf_cli.tracks.output_format import OutputFormat
from pgf_cli.tracks.outputs import check_open_files, output_files
from pgf_cli.tracks.registry import output_format
from pgf_cli.tracks.request import OutputRequest, TrackSpec

PROBE_CHUNK = 1 << 16


class NothingToScoreError(PgfError, ValueError):
    """Every base that was asked for is N."""


class PulseError(PgfError, ValueError):
    """A pulse stands where it can have no effect."""


@dataclass(frozen=True)
class RunPlan:
    """A run that can be carried out."""

    settings: RunSettings
    genome: Genome
    selection: Selection
    counts: tuple[BaseCounts, ...]
    """Of each requested region or record, in the order of ``selection.requested``; zeros where dropped."""
    checkpoint: Checkpoint
    model: StreamingModel
    tile: int
    """Bases per tile."""
    probe: BaseCodes
    """The first non-N bases of what is written, for the certificate."""
    sites: tuple[PulseSite, ...]
    objective: ObjectivePlan | None
    """None where there is no adjoint."""
    tracks: tuple[Track, ...]
    formats: tuple[OutputFormat, ...]
    request: OutputRequest
    outputs: dict[str, Path]
    """What each output file is, to its final path; those of a format by its own keys."""
    estimated_bytes: int

    @property
    def hypothetical(self) -> bool:
        """Whether a format wants the hypothetical scores."""
        return any(output_format.needs_hypothetical for output_format in self.formats)

    @property
    def reverse(self) -> bool:
        """Whether the other strand is read."""
        return self.settings.strand == "reverse"

    @property
    def to_read(self) -> int:
        """Bases that sweeps will report, each pass over them counted: tangent, adjoint, and both of the null."""
        passes = (2 if self.settings.mode == "both" else 1) * (2 if self.settings.null else 1)
        return passes * sum(sweep.end - sweep.start for sweep in self.selection.passes)

    @property
    def to_score(self) -> int:
        """Bases that will be written, N included."""
        return sum(span.end - span.start for span in self.selection.spans)


def plan_run(settings: RunSettings, genome: Genome) -> RunPlan:
    """Check everything that a run needs: regions, pulses, letters, checkpoint, alphabet, device and formats.

    The whole selection is read once: a wrong letter a hundred million bases on is an error now, not in an hour.

    Raises:
        PgfError: whatever the user has to mend.
    """
    sites = _pulse_sites(settings, genome)
    targets = [parse_region(text, genome.lengths, str(settings.fasta)) for text in settings.targets]
    selection = _selection(settings, genome, sites, targets)
    _check_pulses(sites, selection, genome, reverse=settings.strand == "reverse")
    checkpoint = read_checkpoint(settings.model, settings.alphabet)
    model = checkpoint.build(output_layer_of(settings), getattr(torch, settings.dtype), resolve_device(settings.device))
    tile = settings.tile or default_tile(model, _tangents(settings, sites))
    settings = replace(settings, tile=tile)
    if 0 < settings.ghost_distance < model.lookahead:
        raise UsageError(
            f"--ghost-distance {settings.ghost_distance} is less than the {model.lookahead} bases that this model's "
            "initial state reads; use 0, or that many or more"
        )
    tracks = planned_tracks(settings, sites)
    objective = plan_objective(settings, model, checkpoint.alphabet, targets)
    said = objective.text(model.output) if objective else None
    entries = [track_entry(track, settings, sites, model.output, said) for track in tracks]
    request = OutputRequest(
        name=settings.prefix.name,
        tracks=tuple(
            TrackSpec(track.name, track.contig, f"{entry.quantity}; {entry.unit}")
            for track, entry in zip(tracks, entries, strict=True)
        ),
        lengths=genome.lengths,
        spans=selection.spans,
        regions=tuple(row.region for row in selection.requested if row.kept),
        dtype=np.dtype(settings.track_dtype),
        bgzip=settings.bgzip,
        track_line=settings.track_line,
        adjoint=settings.mode != "tangent",
    )
    formats = tuple(map(output_format, dict.fromkeys(settings.formats)))
    for each in formats:
        each.check(request)
    files = output_files(formats, request)
    check_open_files(len(files))
    count = functools.cache(lambda region: genome.record(region.contig).counts(region.start, region.end))
    _check_letters(settings, selection, genome, model, count)
    return RunPlan(
        settings,
        genome,
        selection,
        tuple(count(row.region) if row.kept else BaseCounts() for row in selection.requested),
        checkpoint,
        model,
        tile,
        take_probe(_written_chunks(genome, selection)),
        sites,
        objective,
        tracks,
        formats,
        request,
        output_paths(settings, files),
        sum(each.estimated_bytes(request) for each in formats),
    )


def resolve_device(name: str) -> torch.device:
    """Return the device that ``auto``, ``cpu``, ``cuda`` or ``cuda:I`` names.

    ``auto`` is the first CUDA device where torch sees one and Triton, which its kernels are written in, is there; else
    the CPU.

    Raises:
        UsageError: the name is none of these, or there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.device_count() and find_spec("triton") else "cpu"
    if name == "cpu":
        return torch.device("cpu")
    kind, _, index = name.partition(":")
    if kind != "cuda" or (":" in name and not index.isdigit()):
        raise UsageError(f"--device {name} is no device; use auto, cpu, cuda or cuda:0, cuda:1, ...")
    if int(index or 0) >= torch.cuda.device_count():
        seen = f"torch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices"
        raise UsageError(f"--device {name}: {seen}; use --device cpu")
    return torch.device(kind, int(index or 0))


def output_paths(settings: RunSettings, files: Mapping[str, str]) -> dict[str, Path]:
    """Return every file that a run writes, by what it is, given those of its formats."""
    tables = {
        "hits_bed": ".hits.bed",
        "hits_tsv": ".hits.tsv",
        **({"trace": ".trace.tsv"} if settings.trace else {}),
        "regions": ".regions.tsv",
        "chrom_sizes": ".chrom.sizes",
        "manifest": MANIFEST_SUFFIX,
    }
    prefix = settings.prefix
    return {what: prefix.with_name(prefix.name + suffix) for what, suffix in {**files, **tables}.items()}


def _tangents(settings: RunSettings, sites: Sequence[PulseSite]) -> int:
    """How many tangents a sweep carries: each direction as three where there are ghosts."""
    directions = len(sites) if settings.separate else settings.random_directions or 1
    return directions * (3 if settings.ghost_distance else 1)


def _written_chunks(genome: Genome, selection: Selection) -> Iterator[BaseCodes]:
    for span in selection.spans:
        record = genome.record(span.contig)
        for start in range(span.start, span.end, PROBE_CHUNK):
            yield record[start : min(span.end, start + PROBE_CHUNK)]


def _pulse_sites(settings: RunSettings, genome: Genome) -> tuple[PulseSite, ...]:
    sites = [parse_pulse(text, genome.lengths, str(settings.fasta)) for text in settings.pulses]
    if settings.pulses_bed is not None:
        sites += read_pulses(settings.pulses_bed, genome.lengths)
        if not sites:
            raise PulseError(f"{settings.pulses_bed} has no pulses; list at least one base")
    if settings.separate and len(set(sites)) < len(sites):
        twice = next(site for site in sites if sites.count(site) > 1)
        raise UsageError(f"--separate: pulse {twice} is given twice; leave one out")
    return tuple(sites)


def _selection(
    settings: RunSettings, genome: Genome, sites: Sequence[PulseSite], targets: Sequence[Region]
) -> Selection:
    """What to write: what was asked for, by default of the records that have a pulse or target where there are any."""
    chroms = settings.chroms
    if (sites or targets) and not (settings.regions or settings.bed or chroms):
        named = {place.contig for place in sites or targets}
        chroms = tuple(name for name in genome.names if name in named)
    selection = select(
        genome.lengths,
        settings.regions,
        settings.bed,
        chroms,
        settings.context,
        source=str(settings.fasta),
        reverse=settings.strand == "reverse",
    )
    return replace(selection, passes=tuple(_reaching(sweep, targets, settings, genome) for sweep in selection.passes))


def _reaching(sweep: ReadPass, targets: Sequence[Region], settings: RunSettings, genome: Genome) -> ReadPass:
    """Let a sweep go on to the last target."""
    if not targets:
        return sweep
    ends = []
    for target in targets:
        if target.contig == sweep.contig:
            mirrored = mirror(target.start, target.end, genome.lengths[sweep.contig])
            end = mirrored[1] if settings.strand == "reverse" else target.end
            if end > sweep.start:
                ends.append(end)
    if not ends:
        raise UsageError(
            f"no --target is on {sweep.contig} where it is read; leave that record out, or add a target there"
        )
    return sweep._replace(until=max(ends))


def _check_pulses(sites: tuple[PulseSite, ...], selection: Selection, genome: Genome, *, reverse: bool) -> None:
    for site in sites:
        length = genome.lengths[site.contig]
        position = length - 1 - site.position if reverse else site.position
        if not any(sweep.contig == site.contig and sweep.start <= position < sweep.end for sweep in selection.passes):
            raise PulseError(
                f"pulse {site} can reach nothing that is written; "
                "ask for regions downstream of it, or for a wider --context"
            )
        base = decode(genome.record(site.contig)[site.position : site.position + 1])
        if base == "N":
            raise PulseError(f"pulse {site}: the base there is N, which has no direction; choose another base")
        if base == site.alt:
            raise PulseError(f"pulse {site}: the base there is {base} already; give another one")
    if sites:
        pulsed = {site.contig for site in sites}
        for sweep in selection.passes:
            if sweep.contig not in pulsed:
                raise PulseError(
                    f"no pulse is on {sweep.contig}, whose response is 0; leave it out, or add a pulse there"
                )


def _check_letters(
    settings: RunSettings,
    selection: Selection,
    genome: Genome,
    model: StreamingModel,
    count: "functools._lru_cache_wrapper[BaseCounts]",
) -> None:
    """Read all that will be swept; refuse wrong letters, N without a token, and nothing but N."""
    for sweep in selection.passes:
        span = (sweep.start, sweep.end)
        if settings.strand == "reverse":
            span = mirror(*span, genome.lengths[sweep.contig])
        swept = count(Region(sweep.contig, *span))
        if not model.reads_n and swept.n + swept.iupac:
            raise AlphabetError(
                f"{settings.fasta}: record {sweep.contig} has {swept.n + swept.iupac:,} N or IUPAC codes, and the "
                f"checkpoint {settings.model} has no token for N; name one with --alphabet, for instance N=4"
            )
    if not any(count(span).scored for span in selection.spans):
        raise NothingToScoreError(f"{settings.fasta}: every base that was asked for is N; there is nothing to score")
