"""Caduceus language models of Mamba-1 mixers; names of tensors are those of ``pgf_cli.core.models.caduceus``."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pgf_cli.checkpoints.families import caduceus_folder
from pgf_cli.checkpoints.families.caduceus_folder import in_mamba_fwd
from pgf_cli.checkpoints.families.mamba_sizes import AXES as MAMBA_AXES
from pgf_cli.checkpoints.families.mamba_sizes import count_layers
from pgf_cli.checkpoints.families.mamba_ssm import mamba1_sizes
from pgf_cli.checkpoints.family import Family, head_of, score_objectives
from pgf_cli.checkpoints.fields import Fields
from pgf_cli.checkpoints.sizes import extents
from pgf_cli.core.models.caduceus import CaduceusConfig, CaduceusLM

AXES = in_mamba_fwd(MAMBA_AXES)


def sizes_of(tensors: Mapping[str, Tensor], where: object) -> dict[str, int | bool]:
    """Read a model's sizes off its tensors, by the names of the fields of ``CaduceusConfig``; errors as `extents`."""
    return {
        **extents(tensors, AXES, where),
        "n_layer": count_layers(tensors, where),
        "both_strands": "complement" in tensors,
    }


def _config(
    sizes: Mapping[str, Any], common: Mapping[str, Any], settings: Fields, ssm: Fields, where: object
) -> CaduceusConfig:
    return CaduceusConfig(**{**sizes, **common})


CADUCEUS = Family(
    name="caduceus",
    config=CaduceusConfig,
    make=CaduceusLM,
    sizes=sizes_of,
    axes=AXES,
    required=("d_model", "n_layer", "d_inner", "d_state", "d_conv", "dt_rank", "vocab_size", "swapped"),
    traversal="layer by layer",
    vocabulary=lambda config: config.vocab_size,
    head=head_of,
    head_objectives=score_objectives,
    layouts=(caduceus_folder.layout(caduceus_folder.Mixers(False, sizes_of, AXES, mamba1_sizes, _config)),),
)
