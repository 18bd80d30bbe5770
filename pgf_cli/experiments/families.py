"""Small models of every family, with random weights and one stiffness throughout."""

from collections.abc import Callable
from typing import NamedTuple

import torch

from pgf_cli.core.models import Mamba2Config, Mamba2LM, StreamingModel
from pgf_cli.experiments.sizes import Sizes
from pgf_cli.experiments.subjects import BASE_IDS, VOCABULARY, random_frechet, random_mamba


class Family(NamedTuple):
    """A family of models."""

    name: str
    make: Callable[[int], StreamingModel]
    """Draws a float32 model from a seed."""


def _mamba2(seed: int) -> Mamba2LM:
    config = Mamba2Config(channels=32, layers=2, heads=4, head_dim=16, state=16, vocab=VOCABULARY)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Mamba2LM(config, BASE_IDS, "logprobs").requires_grad_(False)


FAMILIES = (
    Family("Frechet", lambda seed: random_frechet(64, 16, seed)),
    Family("Mamba", lambda seed: random_mamba(Sizes(layers=2, channels=32, state=16), seed)),
    Family("Mamba-2", _mamba2),
)


def with_stiffness(model: StreamingModel, A_log: float) -> StreamingModel:
    """Return the model with every state's decay rate set to exp(A_log) per unit of step size."""
    for name, weight in model.named_parameters():
        if name.endswith("A_log"):
            weight.fill_(A_log)
    return model
