"""Everything that the sweeps of one reading of a record need."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pgf_cli.core.bases import BaseSequence
from pgf_cli.core.objectives import Objective, Targets
from pgf_cli.genome.blocks import InBlocks
from pgf_cli.genome.oriented import OrientedRecord
from pgf_cli.genome.passes import Reading, ReadPass
from pgf_cli.genome.shuffle import Shuffled
from pgf_cli.genome.strand import ReverseComplement
from pgf_cli.runs.plan import RunPlan
from pgf_cli.runs.tracks import RecordDirection, Track, record_direction
from pgf_cli.sweeps import SweptRecord
from pgf_cli.sweeps.record import OtherBases


@dataclass(frozen=True)
class RecordContext:
    """A record in a run, as it is read."""

    plan: RunPlan
    record: OrientedRecord
    bases: SweptRecord
    """What is read: the record, or a shuffle of it."""
    direction: RecordDirection
    tracks: Sequence[Track]
    """Those of this record."""

    def objective(self, one: ReadPass) -> Objective | None:
        """Return a pass's objective; None where there is no adjoint."""
        plan = self.plan
        # What a window of several writes is a part of what its bases act on; a window's objective is all it can be.
        written = plan.selection.by_reading[one.reading].spans if plan.both_directions else one.spans
        return None if plan.objective is None else plan.objective.on(self.record, one, written, plan.model)

    @cached_property
    def masked(self) -> Targets | None:
        """Positions that are read as [MASK]; None: none."""
        if not self.plan.settings.mask_targets or self.plan.objective is None:
            return None
        return Targets(self.plan.objective.targets_on(self.record))

    @property
    def title(self) -> str:
        """What progress calls it."""
        both = len(self.plan.settings.strands_read) > 1
        return f"{self.record.name} {'reverse' if self.record.reverse else 'forward'}" if both else self.record.name

    def named(self, track: str) -> str:
        """Return what outputs call one of its tracks, or a column of hypothetical scores."""
        return track + self.plan.settings.track_suffixes[-1 if self.record.reverse else 0]

    @property
    def strand(self) -> str:
        """The strand in its hits: + or - where each strand has hits of its own, else a dot."""
        if self.plan.settings.strand != "both":
            return "."
        return "-" if self.record.reverse else "+"

    @cached_property
    def shuffled(self) -> "RecordContext":
        """The same record with its bases shuffled, as the null is; kept, for shuffling takes longer than sweeping."""
        record, seed = self.record, self.plan.settings.seed
        bases: BaseSequence = Shuffled(record, record.name, seed)
        if self.plan.settings.strand == "average" and record.reverse:
            # The null of a mean is a mean, too: both readings are of one shuffle.
            bases = ReverseComplement(Shuffled(OrientedRecord(record.record), record.name, seed))
        return replace(self, bases=OtherBases(InBlocks(bases), record))


def record_context(plan: RunPlan, reading: Reading) -> RecordContext:
    """Return what the sweeps of a reading of a record need."""
    record = plan.oriented(reading)
    direction = record_direction(plan.settings, plan.sites_of.get(reading.contig, ()), record)
    return RecordContext(plan, record, record, direction, plan.tracks_of(reading.contig))
