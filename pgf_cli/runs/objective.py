"""What the adjoint differentiates: the run's objective, over its targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.models import StreamingModel
from pgf_cli.core.objectives import Logit, LogLikelihood, Objective, SumOutputs, Targets
from pgf_cli.errors import UsageError
from pgf_cli.genome import OrientedRecord, Region
from pgf_cli.settings import RunSettings

WORDS = {
    "loglik": "the log-likelihood of the target bases, each given all before it",
    "sum": "the sum of the model's {output} over all channels at the target positions",
    "logit": "the sum of {name} over the target positions",
}


@dataclass(frozen=True)
class ObjectivePlan:
    """The objective of a run."""

    name: str
    """``loglik``, ``sum`` or ``logit:J``."""
    column: int | None
    """Of a ``logit``: the row of the head."""
    channels: int
    """Of the model's output."""
    targets: tuple[Region, ...]
    """In the records' own coordinates; none: everything written."""

    def text(self, output: OutputLayer) -> str:
        """Return the objective in words."""
        words = WORDS[self.name.partition(":")[0]].format(output=output, name=self.name)
        where = ", ".join(map(str, self.targets[:3])) + (" ..." if len(self.targets) > 3 else "")
        return f"{words} ({where or 'everything written'})"

    def on(self, record: OrientedRecord, written: Sequence[Region], model: StreamingModel) -> Objective:
        """Return the objective of one pass.

        Args:
            record: what is read.
            written: what the pass writes, in oriented positions.
            model: whose outputs it weighs.
        """
        asked = [
            record.oriented_span(target.start, target.end) for target in self.targets if target.contig == record.name
        ]
        targets = Targets(asked or [(span.start, span.end) for span in written])
        # Where tiles come back to; the adjoint sweep sends weights on to the model.
        host = torch.device("cpu")
        if self.name == "loglik":
            return LogLikelihood(targets, model.dtype, host)
        if self.column is not None:
            return Logit(targets, self.column, self.channels, model.dtype, host)
        return SumOutputs(targets, self.channels, model.dtype, host)


def output_layer_of(settings: RunSettings) -> OutputLayer | None:
    """Return the output layer to build the model with: a ``logit`` objective asks for logits.

    Raises:
        UsageError: it was asked to be another.
    """
    if settings.mode != "tangent" and settings.objective and settings.objective.startswith("logit:"):
        if settings.output_layer not in (None, "logits"):
            raise UsageError(
                f"--objective {settings.objective} needs --output-layer logits, not {settings.output_layer}"
            )
        return "logits"
    return settings.output_layer


def plan_objective(
    settings: RunSettings, model: StreamingModel, alphabet: Mapping[str, int], targets: Sequence[Region]
) -> ObjectivePlan | None:
    """Return the run's objective; None where there is no adjoint.

    Raises:
        UsageError: the objective cannot be read, or the model's output does not have it.
    """
    if settings.mode == "tangent":
        return None
    name = settings.objective or ("loglik" if model.output == "logprobs" else "sum")
    x = torch.zeros(1, 5, dtype=model.dtype, device=model.device)
    with torch.no_grad():
        channels = model.forward(x, model.initial_state(x[: model.lookahead]))[0].shape[1]
    column = None
    if name.startswith("logit:"):
        column = _column(name, alphabet, channels)
    elif name == "loglik" and model.output != "logprobs":
        raise UsageError(f"--objective loglik needs --output-layer logprobs, and this run's is {model.output}")
    elif name not in ("loglik", "sum"):
        raise UsageError(
            f"--objective {name} cannot be read; use loglik, sum, or logit:J, J a base or a row of the head"
        )
    return ObjectivePlan(name, column, channels, tuple(targets))


def _column(name: str, alphabet: Mapping[str, int], channels: int) -> int:
    which = name.removeprefix("logit:")
    if which.upper() in alphabet:
        return alphabet[which.upper()]
    if which.isdecimal() and int(which) < channels:
        return int(which)
    raise UsageError(f"--objective {name}: the head has no {which!r}; use A, C, G, T or a row from 0 to {channels - 1}")
