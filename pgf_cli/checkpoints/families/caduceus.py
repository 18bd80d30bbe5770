"""Caduceus language models of Mamba-1 mixers; names of tensors are those of ``pgf_cli.core.models.caduceus``."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pgf_cli.checkpoints.families import caduceus_folder
from pgf_cli.checkpoints.families.caduceus_folder import in_mamba_fwd
from pgf_cli.checkpoints.families.mamba_sizes import AXES as MAMBA_AXES
from pgf_cli.checkpoints.families.mamba_sizes import count_layers
from pgf_cli.checkpoints.family import Family, head_of
from pgf_cli.checkpoints.fields import Fields
from pgf_cli.checkpoints.sizes import SizeInSettings, extents
from pgf_cli.core.models.caduceus import CaduceusConfig, CaduceusLM

AXES = in_mamba_fwd(MAMBA_AXES)


def sizes_of(tensors: Mapping[str, Tensor], where: object) -> dict[str, int | bool]:
    """Read a model's sizes off its tensors, by the names of the fields of ``CaduceusConfig``; errors as `extents`."""
    return {
        **extents(tensors, AXES, where),
        "n_layer": count_layers(tensors, where),
        "both_strands": "complement" in tensors,
    }


def _stated(settings: Fields, ssm: Fields) -> list[SizeInSettings]:
    d_model, rank = settings.whole("d_model"), ssm.values.get("dt_rank", "auto")
    found = [
        ("d_state", "d_state", ssm.whole("d_state")),
        ("dt_rank", "dt_rank", d_model and math.ceil(d_model / 16) if rank == "auto" else ssm.whole("dt_rank")),
    ]
    return [SizeInSettings(size, field, value) for size, field, value in found if value is not None]


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
    head_objectives=lambda config: ("class:J",) if config.labels else (),
    layouts=(caduceus_folder.layout(caduceus_folder.Mixers(False, sizes_of, AXES, _stated, _config)),),
)
