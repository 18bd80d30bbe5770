"""Mamba-2 language models; names of tensors are those of ``pgf_cli.core.models.Mamba2LM``."""

from pgf_cli.checkpoints.families import mamba2_hugging_face, mamba2_ssm
from pgf_cli.checkpoints.families.mamba2_sizes import SIZE_AXES, sizes_of
from pgf_cli.checkpoints.family import Family, head_of
from pgf_cli.core.models import Mamba2Config, Mamba2LM

MAMBA2 = Family(
    name="mamba2",
    config=Mamba2Config,
    make=Mamba2LM,
    sizes=sizes_of,
    axes=SIZE_AXES,
    # Weights that lost their last layers would otherwise be a smaller model.
    required=("d_model", "n_layer", "heads", "head_dim", "d_state", "d_conv", "vocab_size"),
    vocabulary=lambda config: config.vocab_size,
    head=head_of,
    layouts=(mamba2_ssm.LAYOUT, mamba2_hugging_face.LAYOUT),
)
