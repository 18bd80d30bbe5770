"""Caduceus language models of Mamba-1 mixers; names of tensors are those of ``pgf_cli.core.models.caduceus``."""

from collections.abc import Mapping

from torch import Tensor

from pgf_cli.checkpoints.families import caduceus_folder
from pgf_cli.checkpoints.families.mamba_sizes import AXES as MAMBA_AXES
from pgf_cli.checkpoints.families.mamba_sizes import count_layers
from pgf_cli.checkpoints.family import Family, Head
from pgf_cli.checkpoints.sizes import extents
from pgf_cli.core.models.caduceus import CaduceusConfig, CaduceusLM

AXES = {
    size: axis._replace(tensor=axis.tensor.replace("mixer.", "mixer.mamba_fwd.")) for size, axis in MAMBA_AXES.items()
}


def sizes_of(tensors: Mapping[str, Tensor], where: object) -> dict[str, int | bool]:
    """Read a model's sizes off its tensors, by the names of the fields of ``CaduceusConfig``; errors as `extents`."""
    return {
        **extents(tensors, AXES, where),
        "n_layer": count_layers(tensors, where),
        "both_strands": "complement" in tensors,
    }


def _head(config: CaduceusConfig) -> Head:
    if not config.head:
        return "none"
    return "tied" if config.tied else "own"


CADUCEUS = Family(
    name="caduceus",
    config=CaduceusConfig,
    make=CaduceusLM,
    sizes=sizes_of,
    axes=AXES,
    required=("d_model", "n_layer", "d_inner", "d_state", "d_conv", "dt_rank", "vocab_size", "swapped"),
    traversal="layer by layer",
    vocabulary=lambda config: config.vocab_size,
    head=_head,
    head_objectives=lambda config: ("class:J",) if config.labels else (),
    layouts=(caduceus_folder.layout(CaduceusConfig, sizes_of, AXES),),
)
