"""Write mamba_random.safetensors beside this file: a small Mamba with seeded random weights, the same bytes each time.

It shows the machinery and no biology. Initial values are Mamba's usual ones, as training begins with them.
"""

from pathlib import Path

from torch import Tensor

from pgf_cli.checkpoints import save_checkpoint
from pgf_cli.core.models import BaseIds, MambaConfig
from pgf_cli.training.initial import initial_weights

SEED = 0
NOTE = "random weights, seed 0: not trained, shows the machinery and no biology"
CONFIG = MambaConfig(d_model=64, n_layer=4, d_inner=128, d_state=16, d_conv=4, dt_rank=4, vocab_size=8)
# The head is the embedding, whose rows are tiny: without this gain every base would have a probability near 1/8.
FINAL_GAIN = 4.0


def weights() -> dict[str, Tensor]:
    """Draw the model's tensors."""
    return initial_weights(CONFIG, SEED, final_gain=FINAL_GAIN)


if __name__ == "__main__":
    path = Path(__file__).with_name("mamba_random.safetensors")
    save_checkpoint(path, CONFIG, weights(), BaseIds(0, 1, 2, 3, 4), NOTE)
