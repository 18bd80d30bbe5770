"""The learning rate: a straight rise, then half a cosine."""

import math

from pgf_cli.training.settings import OptimiserSettings


def learning_rate(step: int, settings: OptimiserSettings) -> float:
    """Return the learning rate of a step, counted from 0.

    Source: Loshchilov & Hutter 2017 (SGDR), one cycle, behind a linear warmup.
    """
    if step < settings.warmup:
        return settings.learning_rate * (step + 1) / settings.warmup
    share = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    fall = (1 + math.cos(math.pi * share)) / 2
    return settings.final_learning_rate + (settings.learning_rate - settings.final_learning_rate) * fall
