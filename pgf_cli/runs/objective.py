"""The objective of a run: what the adjoint differentiates, over the run's targets."""

from collections.abc import Sequence
from dataclasses import dataclass

from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.models import SequenceModel
from pgf_cli.core.objectives import Objective, Targets
from pgf_cli.genome import OrientedRecord, ReadPass, Region
from pgf_cli.sweeps.objective import NamedObjective

SEEN, MASKED = ", seen", ", masked"
"""What a model that reads in both directions knows of the base that it predicts."""

WORDS = {
    "loglik": "the log-likelihood of the target bases, each given all before it",
    f"loglik{SEEN}": "the log-likelihood of the target bases, each given all of its window, itself included",
    f"loglik{MASKED}": "the log-likelihood of the target bases, each given the window with all of them read as [MASK]",
    "sum": "the sum of the model's {output} over all channels at the target positions",
    "class": "the model's score {name}, one for all that is read",
    "logit": "the sum of {name} over the target positions",
}


@dataclass(frozen=True)
class ObjectivePlan:
    """The objective of a run."""

    objective: NamedObjective
    targets: tuple[Region, ...]
    """In the records' own coordinates; none: everything written."""
    masked: bool = False
    """Whether the targets are read as [MASK]."""

    def text(self, output: OutputLayer) -> str:
        """Return the objective in words."""
        name = self.objective.name
        which = MASKED if self.masked else SEEN if self.objective.both_directions else ""
        words = WORDS[name.partition(":")[0] + (which if name == "loglik" else "")].format(output=output, name=name)
        if self.objective.of_sequence:
            return words
        where = ", ".join(map(str, self.targets[:3])) + (" ..." if len(self.targets) > 3 else "")
        return f"{words} ({where or 'everything written'})"

    def targets_on(self, record: OrientedRecord) -> list[tuple[int, int]]:
        """Return the targets that were asked for on a record, in oriented positions; none: everything written."""
        return [
            record.oriented_span(target.start, target.end) for target in self.targets if target.contig == record.name
        ]

    def on(self, record: OrientedRecord, one: ReadPass, written: Sequence[Region], model: SequenceModel) -> Objective:
        """Return the objective of one pass.

        Args:
            record: what is read.
            one: the pass.
            written: what is taken where no target was asked for, in oriented positions.
            model: whose outputs it weighs.
        """
        asked = self.targets_on(record)
        targets = Targets(asked or [(span.start, span.end) for span in written])
        return self.objective.over(targets, model, one.start, one.end)
