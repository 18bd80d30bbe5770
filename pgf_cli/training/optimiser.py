"""Adam and AdamW as torch has them; only the gradients are ours."""

from typing import Any

import torch
from torch import nn

from pgf_cli.training.settings import OptimiserSettings

# A shorter memory of squared gradients than torch's default, as usual for language models.
BETAS = (0.9, 0.95)


def make_optimiser(model: nn.Module, settings: OptimiserSettings) -> torch.optim.Optimizer:
    """Make the optimiser; only the projections' matrices decay, never norms, biases, embeddings, A or D."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        (matrices if name.endswith("proj.weight") else others).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    kinds: dict[str, type[torch.optim.Adam]] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    return kinds[settings.name](groups, lr=settings.learning_rate, betas=BETAS)


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group."""
    for group in optimiser.param_groups:
        group["lr"] = rate
