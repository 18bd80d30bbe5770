"""What a run reads: which passes along which records, checked against its pulses and targets."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pgf_cli.checkpoints import AlphabetError
from pgf_cli.core.models import SequenceModel, TwoDirectionModel
from pgf_cli.errors import PgfError, UsageError
from pgf_cli.genome import (
    BaseCounts,
    Genome,
    OrientedRecord,
    PulseSite,
    Reading,
    ReadPass,
    Region,
    Selection,
    mirror,
    parse_pulse,
    read_pulses,
    select,
)
from pgf_cli.genome.windows import Windows, two_direction_passes, without
from pgf_cli.inputs import InputFile
from pgf_cli.settings import RunSettings
from pgf_cli.sweeps.objective import check_mask


class PulseError(PgfError, ValueError):
    """A pulse stands where it can have no effect."""


class NothingToScoreError(PgfError, ValueError):
    """Every base that was asked for is N."""


def pulse_sites(settings: RunSettings, genome: Genome, inputs: list[InputFile]) -> tuple[PulseSite, ...]:
    """Return every pulse, in the order of asking; add to ``inputs`` what was read for it.

    Raises:
        PgfError, UsageError: one cannot be read, or they contradict each other.
    """
    sites = [parse_pulse(text, genome.lengths, str(settings.fasta)) for text in settings.pulses]
    if settings.pulses_bed is not None:
        sites += read_pulses(settings.pulses_bed, genome.lengths, inputs)
        if not sites:
            raise PulseError(f"{settings.pulses_bed} has no pulses; list at least one base")
    if settings.separate and (twice := [site for site, count in Counter(sites).items() if count > 1]):
        raise UsageError(f"--separate: pulse {twice[0]} is given twice; leave one out")
    return tuple(sites)


def selection_of(
    settings: RunSettings, genome: Genome, sites: Sequence[PulseSite], targets: Sequence[Region]
) -> Selection:
    """Settle what is read: what was asked for, by default all records, or those that have a pulse or target.

    Raises:
        PgfError, UsageError: nothing can be read, or a record has no target.
    """
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
        strands=settings.strands_read,
    )
    if not targets:
        return selection
    ends: dict[Reading, list[int]] = {}
    for target in targets:
        mirrored = mirror(target.start, target.end, genome.lengths[target.contig])
        ends.setdefault(Reading(target.contig, "forward"), []).append(target.end)
        ends.setdefault(Reading(target.contig, "reverse"), []).append(mirrored[1])
    return replace(selection, passes=tuple(_reaching(one, ends.get(one.reading, [])) for one in selection.passes))


def check_directions(settings: RunSettings, model: SequenceModel) -> None:
    """Refuse what the model, by the directions that it reads in, does not have.

    Raises:
        UsageError: as said.
    """
    if not isinstance(model, TwoDirectionModel):
        given = [name for name in ("window", "overlap") if getattr(settings, name) is not None]
        if given:
            raise UsageError(
                f"--{given[0]} is for models that read in both directions; this one is causal: leave it out"
            )
    elif settings.trace:
        raise UsageError(
            "--trace follows ghosts upstream, and this model reads in both directions: use --mode adjoint with a "
            "--target at the hit"
        )
    if settings.mask_targets:
        check_mask(model, asked=bool(settings.targets), where=settings.model)


def in_both_directions(
    selection: Selection, settings: RunSettings, genome: Genome, targets: Sequence[Region]
) -> Selection:
    """Return what a model that reads in both directions reads for the same: whole records, or windows.

    Raises:
        UsageError: with ``--mask-targets`` nothing is left to be written.
    """
    masked: dict[Reading, list[tuple[int, int]]] = {}
    for target in targets if settings.mask_targets else ():
        for strand in settings.strands_read:
            span = (target.start, target.end)
            if strand == "reverse":
                span = mirror(*span, genome.lengths[target.contig])
            masked.setdefault(Reading(target.contig, strand), []).append(span)
    passes: list[ReadPass] = []
    for reading, of_reading in selection.by_reading.items():
        spans = list(without(of_reading.spans, masked.get(reading, [])))
        if spans:
            length = genome.lengths[reading.contig]
            passes += two_direction_passes(spans, length, settings.context, _windows(settings), reading.strand)
    if not passes:
        raise UsageError(
            "--mask-targets leaves nothing to be written: masked bases get no score; ask for wider regions"
        )
    kept = {
        contig: [(target.start, target.end) for target in targets if settings.mask_targets and target.contig == contig]
        for contig in selection.spans_by_record
    }
    written = tuple(part for span in selection.spans for part in without([span], kept[span.contig]))
    return replace(selection, passes=tuple(passes), spans=written)


def to_the_end(selection: Selection, genome: Genome) -> Selection:
    """Let every pass but a window read to the end of its record: for a score of the whole of it."""
    passes = tuple(
        one._replace(until=genome.lengths[one.contig]) if one.start == 0 and not one.until else one
        for one in selection.passes
    )
    return replace(selection, passes=passes)


def _windows(settings: RunSettings) -> Windows | None:
    if settings.window is None:
        return None
    return Windows(settings.window, settings.window // 2 if settings.overlap is None else settings.overlap)


def _reaching(one: ReadPass, ends: Sequence[int]) -> ReadPass:
    """Let a pass go on to the last target."""
    ahead = [end for end in ends if end > one.start]
    if not ahead:
        raise UsageError(
            f"no --target is on {one.contig} where it is read; leave that record out, or add a target there"
        )
    return one._replace(until=max(ahead))


def check_pulses(sites_of: Mapping[str, Sequence[PulseSite]], selection: Selection, genome: Genome) -> None:
    """Refuse pulses that can reach nothing, stand on N or change nothing, and records without one.

    Raises:
        PulseError: as said.
    """
    for contig, sites in sites_of.items():
        record = genome.record(contig)
        readings = {reading: selection.by_reading[reading] for reading in selection.readings_of(contig)}
        along = {reading: OrientedRecord(record, reverse=reading.strand == "reverse") for reading in readings}
        for site in sites:
            missed = [one for one, passes in readings.items() if not passes.reads(along[one].oriented(site.position))]
            if missed or not readings:
                where = f" in the reading of the {missed[0].strand} strand" if len(readings) > 1 else ""
                raise PulseError(
                    f"pulse {site} can reach nothing that is written{where}; "
                    "ask for regions downstream of it, or for a wider --context"
                )
            base = OrientedRecord(record).letter(site.position)
            if base == "N":
                raise PulseError(f"pulse {site}: the base there is N, which has no direction; choose another base")
            if base == site.alt:
                raise PulseError(f"pulse {site}: the base there is {base} already; give another one")
    for contig in selection.spans_by_record if sites_of else ():
        if contig not in sites_of:
            raise PulseError(f"no pulse is on {contig}, whose response is 0; leave it out, or add a pulse there")


def check_letters(
    settings: RunSettings, selection: Selection, genome: Genome, model: SequenceModel
) -> tuple[dict[Region, BaseCounts], tuple[str, ...]]:
    """Read all that will be swept: a wrong letter a hundred million bases on is an error now, not in an hour.

    Returns:
        The counts of each region that was asked for and kept, and of each pass the hash of its bases.

    Raises:
        PgfError: there are wrong letters, N without a token, or nothing but N.
    """
    counts: dict[Region, BaseCounts] = {}
    hashes: dict[Region, str] = {}
    read: list[Region] = []
    asked: dict[str, list[Region]] = {}
    for row in selection.requested:
        if row.kept:
            asked.setdefault(row.region.contig, []).append(row.region)
    for contig in selection.spans_by_record:
        record, length = genome.record(contig), genome.lengths[contig]
        for one in (one for reading in selection.readings_of(contig) for one in selection.by_reading[reading]):
            reverse = one.strand == "reverse"
            here = Region(contig, *(mirror(one.start, one.end, length) if reverse else (one.start, one.end)))
            read.append(here)
            if here in hashes:
                continue
            swept, hashes[here] = record.survey(here.start, here.end)
            counts[here] = swept
            if not model.reads_n and swept.n + swept.iupac:
                raise AlphabetError(
                    f"{settings.fasta}: record {contig} has {swept.n + swept.iupac:,} N or IUPAC codes, and the "
                    f"checkpoint {settings.model} has no token for N; name one with --alphabet, for instance N=4"
                )
        for region in asked[contig]:
            if region not in counts:
                counts[region] = record.counts(region.start, region.end)
    if not any(counts[region].scored for regions in asked.values() for region in regions):
        raise NothingToScoreError(f"{settings.fasta}: every base that was asked for is N; there is nothing to score")
    return counts, tuple(hashes[here] for here in read)
