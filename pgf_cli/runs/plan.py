"""What a run will do, found out before it computes: everything that can be refused is refused here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from pgf_cli.checkpoints import Checkpoint, read_checkpoint
from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.certificate import take_probe
from pgf_cli.core.devices import resolve_device
from pgf_cli.core.models import SequenceModel, TwoDirectionModel
from pgf_cli.core.sweeps import FeatureSpace
from pgf_cli.core.tiles import default_tile
from pgf_cli.genome import (
    BaseCounts,
    Genome,
    OrientedRecord,
    PulseSite,
    Reading,
    Selection,
    parse_region,
)
from pgf_cli.inputs import InputFile, hashed
from pgf_cli.runs.groups import Group, group_passes
from pgf_cli.runs.objective import ObjectivePlan
from pgf_cli.runs.reading import (
    check_directions,
    check_letters,
    check_pulses,
    in_both_directions,
    pulse_sites,
    selection_of,
    to_the_end,
)
from pgf_cli.runs.tracks import Track, planned_tracks, track_entries
from pgf_cli.settings import RunSettings
from pgf_cli.sweeps.objective import choose_objective, output_layer_for
from pgf_cli.sweeps.responses import check_ghost_distance, ghost_distance_of, tangents_carried
from pgf_cli.tracks.manifest import MANIFEST_SUFFIX
from pgf_cli.tracks.output_format import OutputFormat
from pgf_cli.tracks.outputs import check_formats, output_files
from pgf_cli.tracks.registry import output_format
from pgf_cli.tracks.request import OutputRequest, TrackSpec
from pgf_cli.tracks.tile import HYPOTHETICAL

PROBE_CHUNK = 1 << 16
MEGABYTE = 10**6


@dataclass(frozen=True)
class RunPlan:
    """A run that can be carried out."""

    settings: RunSettings
    """With the tile that was settled on."""
    genome: Genome
    selection: Selection
    counts: tuple[BaseCounts, ...]
    """Of each requested region or record, in the order of ``selection.requested``; zeros where dropped."""
    sequence_hashes: tuple[str, ...]
    """Of each pass, the SHA-256 of the bases that it reads."""
    checkpoint: Checkpoint
    inputs: tuple[InputFile, ...]
    """Every file that the run reads."""
    model: SequenceModel
    tile: int
    """Bases per tile."""
    probe: BaseCodes
    """The first non-N bases of what is written, for the certificate."""
    sites_of: Mapping[str, Sequence[PulseSite]]
    """Pulses by record."""
    sites: tuple[PulseSite, ...]
    objective: ObjectivePlan | None
    """None where there is no adjoint."""
    tracks: tuple[Track, ...]
    """Those of each reading."""
    formats: tuple[OutputFormat, ...]
    request: OutputRequest
    outputs: dict[str, Path]
    """What each output file is, to its final path; those of a format by its own keys."""
    estimated_bytes: int
    groups: tuple[Group, ...]

    @property
    def hypothetical(self) -> bool:
        """Whether a format wants the hypothetical scores."""
        return any(each.needs_hypothetical for each in self.formats)

    @property
    def snapshot_bytes(self) -> int:
        """What the adjoint may keep of states."""
        return self.settings.snapshot_budget * MEGABYTE

    @property
    def snapshot_folder(self) -> Path | None:
        """Where it keeps them; None: memory."""
        return self.settings.prefix.parent if self.settings.snapshots_on_disk else None

    @property
    def to_read(self) -> int:
        """Bases that sweeps will report: the tangent's, and the adjoint's forwards and backwards; the null's again."""
        tangent = 2 if self.both_directions else 1
        sweeps = {"tangent": tangent, "adjoint": 2, "both": tangent + 2}[self.settings.mode]
        sweeps *= 2 if self.settings.null else 1
        return sweeps * sum(one.end - one.start for one in self.selection.passes)

    @property
    def both_directions(self) -> bool:
        """Whether the model reads in both directions, so that nothing can be handed on from segment to segment."""
        return isinstance(self.model, TwoDirectionModel)

    @property
    def space(self) -> FeatureSpace:
        """Where the features of a model are kept that reads in both directions."""
        return FeatureSpace(self.settings.feature_budget * MEGABYTE, self.settings.prefix.parent)

    @property
    def to_score(self) -> int:
        """Bases that will be written, N included."""
        return sum(span.end - span.start for span in self.selection.spans)

    @property
    def room(self) -> int:
        """Bytes that the run takes on the disk at most: its outputs, and beside them the raw values of every track."""
        columns = len(self.tracks) + (len(HYPOTHETICAL) if self.hypothetical else 0)
        columns *= len(self.settings.strands_read) * (2 if self.settings.null else 1)
        return self.estimated_bytes + columns * self.to_score * self.request.dtype.itemsize

    @property
    def objective_text(self) -> str | None:
        """The objective in words; None where there is no adjoint."""
        return self.objective.text(self.model.output) if self.objective else None

    @property
    def warnings(self) -> list[str]:
        """What the user should know before anything is computed, a line each."""
        lines = []
        if dropped := [row for row in self.selection.requested if not row.kept]:
            lines.append(
                f"{len(dropped):,} of {len(self.selection.requested):,} regions are dropped, the first "
                f"{dropped[0].region} ({dropped[0].reason}); PREFIX.regions.tsv lists them all"
            )
        if ignored := self.checkpoint.ignored:
            lines.append(
                f"{len(ignored):,} tensors of the checkpoint are no part of the model and ignored, the first "
                f"{ignored[0]}; the manifest lists them all"
            )
        return lines

    def oriented(self, reading: Reading) -> OrientedRecord:
        """Return a record on the strand that is read."""
        return OrientedRecord(self.genome.record(reading.contig), reverse=reading.strand == "reverse")

    def ghost_distance(self, contig: str) -> int | None:
        """Return W where a record's sweep carries ghosts; in a pulse run the ghost is a part of the response itself."""
        return self.settings.ghosts_from or None if contig not in self.sites_of else None

    def tracks_of(self, contig: str) -> tuple[Track, ...]:
        """Return the tracks of each reading of a record, in the run's order."""
        own = self._own_tracks.get(contig, ())
        if not own:
            return self._shared_tracks
        return tuple(track for track in self.tracks if track.contig in (None, contig))

    @cached_property
    def _shared_tracks(self) -> tuple[Track, ...]:
        return tuple(track for track in self.tracks if track.contig is None)

    @cached_property
    def _own_tracks(self) -> Mapping[str, Sequence[Track]]:
        own: dict[str, list[Track]] = {}
        for track in self.tracks:
            if track.contig is not None:
                own.setdefault(track.contig, []).append(track)
        return own


def plan_run(settings: RunSettings, genome: Genome) -> RunPlan:
    """Check everything that a run needs: regions, pulses, letters, checkpoint, alphabet, device and formats.

    Raises:
        PgfError: whatever the user has to mend.
    """
    beds: list[InputFile] = []
    sites = pulse_sites(settings, genome, beds)
    sites_of: dict[str, list[PulseSite]] = {}
    for site in sites:
        sites_of.setdefault(site.contig, []).append(site)
    targets = [parse_region(text, genome.lengths, str(settings.fasta)) for text in settings.targets]
    selection = selection_of(settings, genome, sites, targets)
    checkpoint = read_checkpoint(settings.model, settings.alphabet, settings.model_family)
    output_layer = output_layer_for(None if settings.mode == "tangent" else settings.objective, settings.output_layer)
    model = checkpoint.build(output_layer, getattr(torch, settings.dtype), resolve_device(settings.device))
    check_directions(settings, model)
    if isinstance(model, TwoDirectionModel):
        selection = in_both_directions(selection, settings, genome, targets)
    check_pulses(sites_of, selection, genome)
    directions = len(sites) if settings.separate else settings.random_directions or 1
    ghosts = ghost_distance_of(model, settings.ghost_distance)
    tile = settings.tile or default_tile(model, tangents_carried(directions, ghosts))
    settings = replace(settings, tile=tile, ghost_distance=ghosts)
    check_ghost_distance(ghosts, model)
    tracks = planned_tracks(settings, sites)
    objective = None
    if settings.mode != "tangent":
        objective = ObjectivePlan(
            choose_objective(settings.objective, model, checkpoint.alphabet), tuple(targets), settings.mask_targets
        )
        if objective.objective.of_sequence and settings.context is None:
            selection = to_the_end(selection, genome)
    request = _request(settings, genome, selection, tracks, sites, model, objective)
    formats = tuple(map(output_format, dict.fromkeys(settings.formats)))
    check_formats(formats, request)
    files = output_files(formats, request)
    counts, hashes = check_letters(settings, selection, genome, model)
    return RunPlan(
        settings=settings,
        genome=genome,
        selection=selection,
        counts=tuple(counts[row.region] if row.kept else BaseCounts() for row in selection.requested),
        sequence_hashes=hashes,
        checkpoint=checkpoint,
        inputs=(hashed(settings.fasta, genome.identity), *checkpoint.inputs, *selection.inputs, *beds),
        model=model,
        tile=tile,
        probe=take_probe(_written_chunks(genome, selection)),
        sites_of=sites_of,
        sites=sites,
        objective=objective,
        tracks=tracks,
        formats=formats,
        request=request,
        outputs=output_paths(settings, files),
        estimated_bytes=sum(each.estimated_bytes(request) for each in formats),
        groups=group_passes(selection.passes, settings.segment, by_record=settings.separate),
    )


def output_paths(settings: RunSettings, files: Mapping[str, str]) -> dict[str, Path]:
    """Return every file that a run writes, by what it is; ``files``: what follows the prefix in the formats' own."""
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


def _request(
    settings: RunSettings,
    genome: Genome,
    selection: Selection,
    tracks: Sequence[Track],
    sites: Sequence[PulseSite],
    model: SequenceModel,
    objective: ObjectivePlan | None,
) -> OutputRequest:
    said = objective.text(model.output) if objective else None
    return OutputRequest(
        name=settings.prefix.name,
        tracks=tuple(
            TrackSpec(entry.name, track.contig, f"{entry.quantity}; {entry.unit}")
            for track, entry in track_entries(
                tracks, settings, sites, model.output, said, both_directions=isinstance(model, TwoDirectionModel)
            )
        ),
        suffixes=settings.track_suffixes,
        lengths=genome.lengths,
        spans=selection.spans,
        regions=tuple(row.region for row in selection.requested if row.kept),
        dtype=np.dtype(settings.track_dtype),
        bgzip=settings.bgzip,
        track_line=settings.track_line,
        adjoint=settings.mode != "tangent",
    )


def _written_chunks(genome: Genome, selection: Selection) -> Iterator[BaseCodes]:
    for span in selection.spans:
        record = genome.record(span.contig)
        for start in range(span.start, span.end, PROBE_CHUNK):
            yield record[start : min(span.end, start + PROBE_CHUNK)]
