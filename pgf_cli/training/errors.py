"""What can be wrong with a training run or an evaluation."""

from pathlib import Path

from pgf_cli.errors import PgfError, UsageError


class TrainConfigError(UsageError):
    """The TOML of a training run cannot be read, or says what cannot be."""


class TrainingDataError(PgfError, ValueError):
    """The FASTA has nothing to train on or to score where it should."""


class ResumeError(PgfError, ValueError):
    """A training run cannot go on from what is saved."""


class DivergedError(PgfError, ArithmeticError):
    """The loss of a step is not a number any more."""

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(
            f"step {step:,}: the loss is {loss}; lower learning-rate or clip, lengthen warmup, and start again"
        )


class NoPredictionError(PgfError, ValueError):
    """A model that predicts no bases cannot be scored by how well it does."""

    def __init__(self, path: Path, why: str = "has no language-model head and predicts no bases") -> None:
        super().__init__(f"{path} {why}; evaluate a causal language model")
