"""From what was asked for to what is read and written."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path

from pgf_cli.core.choices import ReadStrand
from pgf_cli.errors import UsageError
from pgf_cli.genome.bed import RequestedRegion, read_bed, validate
from pgf_cli.genome.errors import ContigNotFoundError, RegionError
from pgf_cli.genome.passes import Reading, ReadPass, RecordPasses
from pgf_cli.genome.regions import Region, parse_region
from pgf_cli.genome.strand import mirror
from pgf_cli.inputs import InputFile


@dataclass(frozen=True)
class Selection:
    """What was asked for and what serves it."""

    requested: tuple[RequestedRegion, ...]
    """Every region asked for, in the order of asking."""
    spans: tuple[Region, ...]
    """What is written: the regions kept, merged, in FASTA order, in the record's own coordinates."""
    passes: tuple[ReadPass, ...]
    """What is read for it, in FASTA order; within a record one reading after the other, each in its order."""
    inputs: tuple[InputFile, ...] = ()
    """The BED file, if there was one, as it was read."""

    @cached_property
    def by_reading(self) -> dict[Reading, RecordPasses]:
        """The passes of each reading of each record, in FASTA order."""
        return {reading: RecordPasses(group) for reading, group in groupby(self.passes, lambda one: one.reading)}

    def readings_of(self, contig: str) -> tuple[Reading, ...]:
        """Return how a record is read; nothing where it is not."""
        both: tuple[ReadStrand, ...] = ("forward", "reverse")
        return tuple(Reading(contig, strand) for strand in both if (contig, strand) in self.by_reading)

    @cached_property
    def spans_by_record(self) -> dict[str, tuple[Region, ...]]:
        """What is written of each record, in FASTA order, in the record's own coordinates."""
        return {contig: tuple(group) for contig, group in groupby(self.spans, lambda span: span.contig)}


def select(
    genome_lengths: Mapping[str, int],
    regions: Sequence[str] = (),
    bed: Path | None = None,
    chroms: Sequence[str] = (),
    context: int | None = None,
    source: str = "the FASTA",
    *,
    strands: Sequence[ReadStrand] = ("forward",),
) -> Selection:
    """Settle what to read: the union of region strings, a BED file and whole records; every record by default.

    Overlapping and touching regions are merged. A pass serves all of a record's regions and begins at its first base,
    so that a base has one value whatever was asked; with `context` each merged region has a pass of its own.

    Args:
        genome_lengths: bases per record, in FASTA order.
        regions: region strings, as for `parse_region`.
        bed: BED file, a pipe, or `-`, as for `read_bed`.
        chroms: names of whole records.
        context: bases read before each region at most; None reads from the record's first base.
        source: what errors call the FASTA, its path for instance.
        strands: which to read, the forward one first; the reverse one goes from each record's last base to its first.

    Raises:
        ContigNotFoundError, RegionError, BedError: what was asked for cannot be read, or none of it can be kept.
        UsageError: `context` is negative.
    """
    if context is not None and context < 0:
        raise UsageError(f"a context of {context} bases cannot be read; give 0 or more")
    parsed = [parse_region(text, genome_lengths, source) for text in regions]
    requested = [validate(region, ".", genome_lengths[region.contig]) for region in parsed]
    inputs: list[InputFile] = []
    if bed is not None:
        requested += read_bed(bed, genome_lengths, inputs)
    nothing_named = not regions and bed is None and not chroms
    requested += [_whole(name, genome_lengths, source) for name in (genome_lengths if nothing_named else chroms)]
    kept = [row.region for row in requested if row.kept]
    if not kept:
        raise RegionError(_why_nothing(requested))
    merged = _merge(kept)
    spans = {name: merged[name] for name in genome_lengths if name in merged}
    passes = [
        one
        for name, written in spans.items()
        for strand in strands
        for one in _passes(
            _mirrored(written, genome_lengths[name]) if strand == "reverse" else written, context, strand
        )
    ]
    written_spans = tuple(span for written in spans.values() for span in written)
    return Selection(tuple(requested), written_spans, tuple(passes), tuple(inputs))


def _whole(name: str, lengths: Mapping[str, int], source: str) -> RequestedRegion:
    if name not in lengths:
        raise ContigNotFoundError(name, lengths, source)
    return validate(Region(name, 0, lengths[name]), ".", lengths[name])


def _merge(regions: Iterable[Region]) -> dict[str, list[Region]]:
    merged: dict[str, list[Region]] = defaultdict(list)
    for region in sorted(regions):
        spans = merged[region.contig]
        if spans and region.start <= spans[-1].end:
            spans[-1] = spans[-1]._replace(end=max(spans[-1].end, region.end))
        else:
            spans.append(region)
    return merged


def _mirrored(spans: Sequence[Region], length: int) -> list[Region]:
    return [Region(span.contig, *mirror(span.start, span.end, length)) for span in reversed(spans)]


def _passes(spans: Sequence[Region], context: int | None, strand: ReadStrand) -> list[ReadPass]:
    if context is None:
        return [ReadPass(spans[0].contig, 0, tuple(spans), strand=strand)]
    return [ReadPass(span.contig, max(0, span.start - context), (span,), strand=strand) for span in spans]


def _why_nothing(dropped: Sequence[RequestedRegion]) -> str:
    if not dropped:
        return "nothing to read: the BED file has no rows; list at least one region"
    first = "; ".join(f"{row.region}: {row.reason}" for row in dropped[:3])
    return f"nothing to read, all {len(dropped):,} regions asked for were dropped ({first}); give regions of this FASTA"
