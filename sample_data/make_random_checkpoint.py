"""Write mamba_random.safetensors beside this file: a small Mamba with seeded random weights, the same bytes each time.

It shows the machinery and no biology. Initial values are Mamba's usual ones (Gu & Dao 2023, section 3.6 and the
mamba_ssm implementation): A = -(1..N), step sizes log-uniform in [0.001, 0.1], D = 1, projections uniform, embedding
normal with standard deviation 0.02.
"""

import math
from pathlib import Path

import torch
from torch import Tensor

from pgf_cli.checkpoints import save_checkpoint
from pgf_cli.core.models import BaseIds, MambaConfig

SEED = 0
NOTE = "random weights, seed 0: not trained, shows the machinery and no biology"
CONFIG = MambaConfig(channels=64, layers=4, inner=128, state=16, conv=4, dt_rank=4, vocab=8)
# The head is the embedding, whose rows are tiny: without this gain every base would have a probability near 1/8.
FINAL_GAIN = 4.0


class Draws:
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
        """The inverse softplus of step sizes that are log-uniform in [0.001, 0.1]."""
        low, high = math.log(0.001), math.log(0.1)
        steps = torch.exp(low + (high - low) * torch.rand(count, generator=self.generator))
        return steps + torch.log(-torch.expm1(-steps))


def layer_weights(draws: Draws) -> dict[str, Tensor]:
    """Draw the tensors of one layer."""
    D, E, N, R, K = CONFIG.channels, CONFIG.inner, CONFIG.state, CONFIG.dt_rank, CONFIG.conv
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
        "mixer.out_proj.weight": draws.uniform((E * CONFIG.layers) ** -0.5, D, E),
    }


def weights() -> dict[str, Tensor]:
    """Draw the whole model's tensors."""
    draws = Draws(SEED)
    tensors = {"embedding.weight": draws.normal(0.02, CONFIG.vocab, CONFIG.channels)}
    for i in range(CONFIG.layers):
        tensors |= {f"layers.{i}.{name}": tensor for name, tensor in layer_weights(draws).items()}
    return tensors | {"norm_f.weight": torch.full((CONFIG.channels,), FINAL_GAIN)}


if __name__ == "__main__":
    save_checkpoint(
        Path(__file__).with_name("mamba_random.safetensors"), CONFIG, weights(), BaseIds(0, 1, 2, 3, 4), NOTE
    )
