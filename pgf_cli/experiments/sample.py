"""The sample data as a subject: a trained checkpoint and the stretch of a chromosome that its training never saw."""

from pathlib import Path

import torch

import pgf_cli
from pgf_cli.checkpoints import read_checkpoint
from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.models import MambaConfig, MambaLM, StreamingModel
from pgf_cli.genome import Genome
from pgf_cli.training.initial import initial_weights

FASTA, CHECKPOINT = "arabidopsis_heldout.fa", "mamba_arabidopsis.safetensors"


def sample_model(dtype: torch.dtype = torch.float32) -> StreamingModel:
    """Return the trained Mamba; its output is ``logprobs``."""
    return read_checkpoint(_folder() / CHECKPOINT).build("logprobs", dtype, torch.device("cpu"))


def untrained_sample_model(seed: int) -> StreamingModel:
    """Return the same architecture with initial weights, drawn as training draws them."""
    read = read_checkpoint(_folder() / CHECKPOINT)
    assert isinstance(read.config, MambaConfig)
    assert read.base_ids is not None
    model = MambaLM(read.config, read.base_ids, "logprobs").requires_grad_(False)
    model.load_state_dict(initial_weights(read.config, seed))
    return model


def sample_bases() -> BaseCodes:
    """Return the held-out stretch, (400,000,)."""
    with Genome.open(_folder() / FASTA) as genome:
        return genome.record(genome.names[0])[:]


def _folder() -> Path:
    """Inside an installed package, or beside it in a checkout."""
    package = Path(pgf_cli.__file__).parent
    inside = package / "sample_data"
    return inside if inside.is_dir() else package.parent / "sample_data"
