"""Mamba language models; names of tensors are those of ``pgf_cli.core.models.MambaLM``."""

from pgf_cli.checkpoints.families import caduceus_causal, mamba_bare, mamba_hugging_face, mamba_ssm, orthrus
from pgf_cli.checkpoints.families.mamba_sizes import AXES, sizes_of
from pgf_cli.checkpoints.family import Family, head_of, score_objectives
from pgf_cli.core.models import MambaConfig, MambaLM

MAMBA = Family(
    name="mamba",
    config=MambaConfig,
    make=MambaLM,
    sizes=sizes_of,
    axes=AXES,
    # Weights that lost their last layers would otherwise be a smaller model.
    required=("d_model", "n_layer", "d_inner", "d_state", "d_conv", "dt_rank", "vocab_size"),
    vocabulary=lambda config: None if config.one_hot else config.vocab_size,
    head=head_of,
    head_objectives=score_objectives,
    layouts=(
        mamba_ssm.LAYOUT,
        mamba_hugging_face.LAYOUT,
        orthrus.LAYOUT,
        caduceus_causal.LAYOUT,
        mamba_bare.LAYOUT,
    ),
)
