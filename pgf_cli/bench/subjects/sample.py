"""The sample data as a subject: a trained checkpoint and the stretch of a chromosome that its training never saw."""

import torch

from pgf_cli.checkpoints import read_checkpoint
from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.models import MambaConfig, MambaLM, StreamingModel
from pgf_cli.genome import Genome
from pgf_cli.sample_folder import sample_data
from pgf_cli.training.initial import initial_weights

FASTA, CHECKPOINT = "arabidopsis_heldout.fa", "mamba_arabidopsis.safetensors"


def sample_model(dtype: torch.dtype = torch.float32) -> StreamingModel:
    """Return the trained Mamba; its output is ``logprobs``."""
    model = read_checkpoint(sample_data() / CHECKPOINT).build("logprobs", dtype, torch.device("cpu"))
    assert isinstance(model, StreamingModel)
    return model


def untrained_sample_model(seed: int) -> StreamingModel:
    """Return the same architecture with initial weights, drawn as training draws them."""
    read = read_checkpoint(sample_data() / CHECKPOINT)
    config = read.config_as(MambaConfig)
    assert read.base_ids is not None
    model = MambaLM(config, read.base_ids, "logprobs").requires_grad_(False)
    model.load_state_dict(initial_weights(config, seed))
    return model


def sample_bases() -> BaseCodes:
    """Return the held-out stretch, (400,000,)."""
    with Genome.open(sample_data() / FASTA) as genome:
        return genome.record(genome.names[0])[:]
