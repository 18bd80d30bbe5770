"""Which scalar of a model's output the adjoint differentiates, chosen by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.models import SequenceModel, TwoDirectionModel
from pgf_cli.core.objectives import (
    Logit,
    LogLikelihood,
    MaskedLogLikelihood,
    Objective,
    SequenceScore,
    SumOutputs,
    Targets,
)
from pgf_cli.core.one_hot import X_COLUMNS
from pgf_cli.errors import UsageError

CLASS = "class:"
"""Before the number of a score of a classification or regression head."""


@dataclass(frozen=True)
class NamedObjective:
    """An objective that a model's output has."""

    name: str
    """``loglik``, ``sum``, ``logit:J`` or ``class:J``."""
    column: int | None
    """Of a ``logit`` or a ``class``: the row of the head."""
    channels: int
    """Of the model's output."""
    both_directions: bool = False
    """Whether the model reads in both directions, so that its row of a base is of that base itself."""

    @property
    def of_sequence(self) -> bool:
        """Whether it is one score of all that is read, so that it has no targets."""
        return self.name.startswith(CLASS)

    def over(self, targets: Targets | None, model: SequenceModel, start: int, end: int) -> Objective:
        """Return the objective in the coordinates of the sweep.

        Args:
            targets: positions that it is taken over; None: all. A head's score is of all that is read.
            model: whose output it is.
            start, end: what is read.
        """
        # Where tiles come back to; the adjoint sweep sends weights on to the model.
        host = torch.device("cpu")
        if self.name == "loglik":
            kind = MaskedLogLikelihood if self.both_directions else LogLikelihood
            return kind(targets, model.dtype, host)
        if self.of_sequence:
            return SequenceScore(partial(model.score_weights, self.column or 0), start, end, model.dtype, host)
        if self.column is not None:
            return Logit(targets, self.column, self.channels, model.dtype, host)
        return SumOutputs(targets, self.channels, model.dtype, host)


def output_layer_for(objective: str | None, output_layer: OutputLayer | None) -> OutputLayer | None:
    """Return the output layer to build the model with: ``logit`` asks for logits, ``class`` for the hidden state.

    Raises:
        UsageError: it was asked to be another.
    """
    needed: dict[str, OutputLayer] = {"logit:": "logits", CLASS: "hidden"}
    for kind, layer in needed.items():
        if objective is not None and objective.startswith(kind):
            if output_layer not in (None, layer):
                raise UsageError(f"--objective {objective} needs --output-layer {layer}, not {output_layer}")
            return layer
    return output_layer


def check_mask(model: SequenceModel, *, asked: bool, where: Path) -> None:
    """See that targets can be read as [MASK].

    Args:
        model: the model.
        asked: whether targets were named.
        where: the checkpoint, for messages.

    Raises:
        UsageError: they cannot.
    """
    if not asked:
        raise UsageError("--mask-targets masks the bases of --target: name some")
    if not isinstance(model, TwoDirectionModel):
        raise UsageError("--mask-targets is for models that read in both directions; this one is causal: leave it out")
    if not model.has_mask:
        raise UsageError(f"--mask-targets: the model in {where} has no [MASK] token; leave it out")


def choose_objective(name: str | None, model: SequenceModel, alphabet: Mapping[str, int]) -> NamedObjective:
    """Return the objective of that name; None is ``loglik`` where the output is log-probabilities, else ``sum``.

    A model with a classification or regression head has neither for a default: of one score it is that, and of several
    one has to be named.

    Args:
        name: ``loglik``, ``sum``, ``logit:J``, J a letter of the alphabet or a row of the head, or ``class:J``.
        model: whose output it is taken of.
        alphabet: head row by letter.

    Raises:
        UsageError: it cannot be read, or the model's output does not have it.
    """
    both = isinstance(model, TwoDirectionModel)
    name = name or _default(model)
    with torch.no_grad():
        channels = model.whole(torch.zeros(1, X_COLUMNS, dtype=model.dtype, device=model.device)).shape[1]
    if name.startswith("logit:"):
        return NamedObjective(name, _column(name, alphabet, channels), channels, both)
    if name.startswith(CLASS):
        return NamedObjective(name, _score(name, model), channels, both)
    if name == "loglik" and model.output != "logprobs":
        raise UsageError(f"--objective loglik needs --output-layer logprobs, and this run's is {model.output}")
    if name not in ("loglik", "sum"):
        raise UsageError(
            f"--objective {name} cannot be read; use loglik, sum, logit:J, J a base or a row of the head, or class:J"
        )
    return NamedObjective(name, None, channels, both)


def _default(model: SequenceModel) -> str:
    if model.labels > 1:
        raise UsageError(
            f"--objective: this model's head gives {model.labels} scores; name one, class:0 to "
            f"class:{model.labels - 1}, or sum"
        )
    if model.labels:
        return f"{CLASS}0"
    return "loglik" if model.output == "logprobs" else "sum"


def _score(name: str, model: SequenceModel) -> int:
    which = name.removeprefix(CLASS)
    if not model.labels:
        raise UsageError(f"--objective {name}: this model has no classification or regression head")
    if int(which) >= model.labels:
        raise UsageError(f"--objective {name}: the head gives {model.labels} scores, 0 to {model.labels - 1}")
    return int(which)


def _column(name: str, alphabet: Mapping[str, int], channels: int) -> int:
    which = name.removeprefix("logit:")
    if which.upper() in alphabet:
        return alphabet[which.upper()]
    if which.isdecimal() and int(which) < channels:
        return int(which)
    raise UsageError(f"--objective {name}: the head has no {which!r}; use A, C, G, T or a row from 0 to {channels - 1}")
