"""What a run will do, found out before it computes: everything that can be refused is refused here."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pgf_cli.checkpoints import AlphabetError, Checkpoint, read_checkpoint
from pgf_cli.core.bases import N_CODE, BaseCodes
from pgf_cli.core.certificate import PROBE_BASES
from pgf_cli.core.models import MambaLM
from pgf_cli.errors import PgfError, UsageError
from pgf_cli.genome import BaseCounts, Genome, Region, Selection, select
from pgf_cli.settings import RunSettings
from pgf_cli.tracks import Span, check_bigwig, estimated_bytes
from pgf_cli.tracks.manifest import MANIFEST_SUFFIX

TRACK = "response"
PROBE_CHUNK = 1 << 16


class NothingToScoreError(PgfError, ValueError):
    """Every base that was asked for is N."""


@dataclass(frozen=True)
class RunPlan:
    """A run that can be carried out."""

    settings: RunSettings
    genome: Genome
    selection: Selection
    counts: tuple[BaseCounts, ...]
    """Of each requested region or record, in the order of ``selection.requested``; zeros where dropped."""
    checkpoint: Checkpoint
    model: MambaLM
    probe: BaseCodes
    """The first non-N bases of what is written, for the certificate."""
    outputs: dict[str, Path]
    """What each output file is, to its final path."""
    estimated_bytes: int

    @property
    def to_read(self) -> int:
        """Bases that the model will read, upstream context included."""
        return sum(sweep.end - sweep.start for sweep in self.selection.sweeps)

    @property
    def to_score(self) -> int:
        """Bases that will be written, N included."""
        return sum(span.end - span.start for span in _spans(self.selection))


def plan_run(settings: RunSettings, genome: Genome) -> RunPlan:
    """Check everything that a run needs: regions, letters, checkpoint, alphabet, device and formats.

    The whole selection is read once: a wrong letter a hundred million bases on is an error now, not in an hour.

    Raises:
        PgfError: whatever the user has to mend.
    """
    if "bigwig" in settings.formats:
        check_bigwig(list(genome.lengths.items()))
    selection = select(
        genome.lengths, settings.regions, settings.bed, settings.chroms, settings.context, source=str(settings.fasta)
    )
    checkpoint = read_checkpoint(settings.model, settings.alphabet)
    model = checkpoint.build(settings.output_layer, getattr(torch, settings.dtype), resolve_device(settings.device))
    count = functools.cache(lambda region: genome.record(region.contig).counts(region.start, region.end))
    for sweep in selection.sweeps:
        swept = count(Region(sweep.contig, sweep.start, sweep.end))
        if not model.reads_n and swept.n + swept.iupac:
            raise AlphabetError(
                f"{settings.fasta}: record {sweep.contig} has {swept.n + swept.iupac:,} N or IUPAC codes, and the "
                f"checkpoint {settings.model} has no token for N; name one with --alphabet, for instance N=4"
            )
    if not any(count(span).scored for span in _spans(selection)):
        raise NothingToScoreError(f"{settings.fasta}: every base that was asked for is N; there is nothing to score")
    return RunPlan(
        settings,
        genome,
        selection,
        tuple(count(row.region) if row.kept else BaseCounts() for row in selection.requested),
        checkpoint,
        model,
        probe_bases(genome, selection),
        output_paths(settings),
        sum(
            estimated_bytes(
                track_format, [Span(*span) for span in _spans(selection)], tracks=1, itemsize=model.dtype.itemsize
            )
            for track_format in settings.formats
        ),
    )


def resolve_device(name: str) -> torch.device:
    """Return the device that ``auto``, ``cpu``, ``cuda`` or ``cuda:I`` names.

    ``auto`` is the CPU: its scan is compiled, while on a GPU the scan still runs step by step.

    Raises:
        UsageError: the name is none of these, or there is no such device.
    """
    if name in ("auto", "cpu"):
        return torch.device("cpu")
    kind, _, index = name.partition(":")
    if kind != "cuda" or (":" in name and not index.isdigit()):
        raise UsageError(f"--device {name} is no device; use auto, cpu, cuda or cuda:0, cuda:1, ...")
    if int(index or 0) >= torch.cuda.device_count():
        seen = f"torch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices"
        raise UsageError(f"--device {name}: {seen}; use --device cpu")
    return torch.device(kind, int(index or 0))


def output_paths(settings: RunSettings) -> dict[str, Path]:
    """Return every file that a run writes, by what it is."""
    prefix = settings.prefix

    def named(suffix: str) -> Path:
        return prefix.with_name(prefix.name + suffix)

    suffixes = {"bedgraph": f".{TRACK}.bedgraph", "csv": ".csv", "bigwig": f".{TRACK}.bw"}
    tracks = {track_format: named(suffixes[track_format]) for track_format in settings.formats}
    tables = {
        "hits_bed": ".hits.bed",
        "hits_tsv": ".hits.tsv",
        "regions": ".regions.tsv",
        "chrom_sizes": ".chrom.sizes",
        "manifest": MANIFEST_SUFFIX,
    }
    return tracks | {what: named(suffix) for what, suffix in tables.items()}


def probe_bases(genome: Genome, selection: Selection) -> BaseCodes:
    """Return the first non-N bases of what is written, at most ``PROBE_BASES``."""
    parts: list[BaseCodes] = []
    for chunk in _written_chunks(genome, selection):
        parts.append(chunk[chunk != N_CODE])
        if sum(map(len, parts)) >= PROBE_BASES:
            break
    return np.concatenate(parts)[:PROBE_BASES]


def _written_chunks(genome: Genome, selection: Selection) -> Iterator[BaseCodes]:
    for span in _spans(selection):
        record = genome.record(span.contig)
        for start in range(span.start, span.end, PROBE_CHUNK):
            yield record[start : min(span.end, start + PROBE_CHUNK)]


def _spans(selection: Selection) -> list[Region]:
    return [span for sweep in selection.sweeps for span in sweep.spans]
