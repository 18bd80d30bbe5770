"""Small models of every family, with random weights and one stiffness throughout."""

from collections.abc import Callable
from typing import NamedTuple

from pgf_cli.bench.subjects.random_models import random_frechet, random_mamba, random_mamba2
from pgf_cli.bench.subjects.sizes import Sizes
from pgf_cli.core.models import StreamingModel


class Family(NamedTuple):
    """A family of models."""

    name: str
    make: Callable[[int], StreamingModel]
    """Draws a float32 model from a seed."""


_LAYERED = Sizes(layers=2, channels=32, state=16)

FAMILIES = (
    Family("Frechet", lambda seed: random_frechet(64, 16, seed)),
    Family("Mamba", lambda seed: random_mamba(_LAYERED, seed)),
    Family("Mamba-2", lambda seed: random_mamba2(_LAYERED, seed)),
)


def with_stiffness(model: StreamingModel, A_log: float) -> StreamingModel:
    """Return the model with every state's decay rate set to exp(A_log) per unit of step size."""
    for name, weight in model.named_parameters():
        if name.endswith("A_log"):
            weight.fill_(A_log)
    return model
