"""Mamba's usual initial weights, seeded: the same seed gives the same bytes.

A = -(1..N), step sizes log-uniform in [0.001, 0.1], D = 1, projections uniform, embedding normal with standard
deviation 0.02.

Source: Gu & Dao 2023, section 3.6, and the mamba_ssm implementation.
"""

import math

import torch
from torch import Tensor

from pgf_cli.core.models import MambaConfig

SHORTEST_STEP, LONGEST_STEP = 0.001, 0.1


def initial_weights(config: MambaConfig, seed: int, *, final_gain: float = 1.0) -> dict[str, Tensor]:
    """Draw all of a model's tensors, in float32.

    Args:
        config: sizes; a model with a head and without projection biases.
        seed: of the one stream that every tensor is drawn from.
        final_gain: weight of the final norm, a number for every channel.

    Returns:
        Tensors by the names of the model's ``state_dict()``.
    """
    draws = _Draws(seed)
    tensors = {"embedding.weight": draws.normal(0.02, config.vocab_size, config.d_model)}
    for i in range(config.n_layer):
        tensors |= {f"layers.{i}.{name}": tensor for name, tensor in _layer(draws, config).items()}
    tensors["norm_f.weight"] = torch.full((config.d_model,), final_gain)
    if not config.tied:
        tensors["lm_head.weight"] = draws.uniform(config.d_model**-0.5, config.vocab_size, config.d_model)
    return tensors


class _Draws:
    """Random tensors from one seeded stream."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def uniform(self, bound: float, *shape: int) -> Tensor:
        """Uniform in [-bound, bound]."""
        return (torch.rand(*shape, generator=self.generator) * 2 - 1) * bound

    def normal(self, deviation: float, *shape: int) -> Tensor:
        """Normal with mean 0."""
        return torch.randn(*shape, generator=self.generator) * deviation

    def step_bias(self, count: int) -> Tensor:
        """The inverse softplus of step sizes that are log-uniform."""
        low, high = math.log(SHORTEST_STEP), math.log(LONGEST_STEP)
        steps = torch.exp(low + (high - low) * torch.rand(count, generator=self.generator))
        return steps + torch.log(-torch.expm1(-steps))


def _layer(draws: _Draws, config: MambaConfig) -> dict[str, Tensor]:
    D, E, N, R, K = config.d_model, config.d_inner, config.d_state, config.dt_rank, config.d_conv
    return {
        "norm.weight": torch.ones(D),
        "mixer.A_log": torch.arange(1.0, N + 1).log().repeat(E, 1),
        "mixer.D": torch.ones(E),
        "mixer.in_proj.weight": draws.uniform(D**-0.5, 2 * E, D),
        "mixer.conv1d.weight": draws.uniform(K**-0.5, E, 1, K),
        "mixer.conv1d.bias": draws.uniform(K**-0.5, E),
        "mixer.x_proj.weight": draws.uniform(E**-0.5, R + 2 * N, E),
        "mixer.dt_proj.weight": draws.uniform(R**-0.5, E, R),
        "mixer.dt_proj.bias": draws.step_bias(E),
        # Scaled with depth, so that the sum over layers keeps its size.
        "mixer.out_proj.weight": draws.uniform((E * config.n_layer) ** -0.5, D, E),
    }
