"""What is measured: models of given sizes with random weights, and random bases."""

import numpy as np
import torch

from pgf_cli.bench.subjects.sizes import Sizes
from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.models import BaseIds, FrechetConfig, FrechetModel, Mamba2Config, Mamba2LM, MambaConfig, MambaLM
from pgf_cli.training.initial import initial_weights

BASE_IDS = BaseIds(0, 1, 2, 3, 4)
VOCABULARY = 8
HEAD_CHANNELS = 16
"""Of a head of a small Mamba-2."""
PUBLISHED_HEAD_CHANNELS = 64
"""Of a head of the published ones."""


def random_mamba(sizes: Sizes, seed: int) -> MambaLM:
    """Return a float32 model with Mamba's usual initial weights; its output is ``logprobs``."""
    config = MambaConfig(
        d_model=sizes.channels,
        n_layer=sizes.layers,
        d_inner=2 * sizes.channels,
        d_state=sizes.state,
        d_conv=4,
        dt_rank=-(-sizes.channels // 16),
        vocab_size=VOCABULARY,
    )
    model = MambaLM(config, BASE_IDS, "logprobs").requires_grad_(False)
    model.load_state_dict(initial_weights(config, seed))
    return model


def random_mamba2(sizes: Sizes, seed: int, head_channels: int = HEAD_CHANNELS) -> Mamba2LM:
    """Return a float32 model of the same sizes, in heads of some channels, with its usual initial weights."""
    config = Mamba2Config(
        d_model=sizes.channels,
        n_layer=sizes.layers,
        heads=2 * sizes.channels // head_channels,
        head_dim=head_channels,
        d_state=sizes.state,
        vocab_size=VOCABULARY,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Mamba2LM(config, BASE_IDS, "logprobs").requires_grad_(False)


def random_frechet(channels: int, state: int, seed: int) -> FrechetModel:
    """Return a float32 Frechet operator over embedded bases, initialised as torch does, with A = -1."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return FrechetModel(FrechetConfig(d_model=channels, d_state=state, embedded=True)).requires_grad_(False)


def random_bases(length: int, seed: int) -> BaseCodes:
    """Return base codes (L,) without N; a shorter sequence is the beginning of a longer one."""
    return np.random.default_rng(seed).integers(0, 4, length, dtype=np.uint8)
