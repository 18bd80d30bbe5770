"""Everything that the sweeps of one record need."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pgf_cli.core.objectives import Objective
from pgf_cli.genome.blocks import InBlocks
from pgf_cli.genome.oriented import OrientedRecord
from pgf_cli.genome.passes import ReadPass
from pgf_cli.genome.shuffle import Shuffled
from pgf_cli.runs.plan import RunPlan
from pgf_cli.runs.tracks import RecordDirection, Track, record_direction
from pgf_cli.sweeps import SweptRecord
from pgf_cli.sweeps.record import OtherBases


@dataclass(frozen=True)
class RecordContext:
    """A record in a run."""

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
        return None if plan.objective is None else plan.objective.on(self.record, one.spans, plan.model)

    @cached_property
    def shuffled(self) -> "RecordContext":
        """The same record with its bases shuffled, as the null is; kept, for shuffling takes longer than sweeping."""
        bases = InBlocks(Shuffled(self.record, self.record.name, self.plan.settings.seed))
        return replace(self, bases=OtherBases(bases, self.record))


def record_context(plan: RunPlan, contig: str) -> RecordContext:
    """Return what the sweeps of a record need."""
    record = plan.oriented(contig)
    direction = record_direction(plan.settings, plan.sites_of.get(contig, ()), record)
    return RecordContext(plan, record, record, direction, plan.tracks_of(contig))
