"""Caduceus language models of Mamba-2 mixers, as PlantCAD2 is; tensors' names are ``core.models.caduceus``'s."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pgf_cli.checkpoints.errors import CheckpointError
from pgf_cli.checkpoints.families import caduceus_folder, mamba2_sizes
from pgf_cli.checkpoints.families.caduceus_folder import in_mamba_fwd
from pgf_cli.checkpoints.families.mamba2_folder import in_groups
from pgf_cli.checkpoints.families.mamba2_ssm import check_layers, groups_of, options_of, own_sizes
from pgf_cli.checkpoints.families.mamba_ssm import NORM_EPS
from pgf_cli.checkpoints.family import Family, head_of, score_objectives
from pgf_cli.checkpoints.fields import Fields
from pgf_cli.checkpoints.sizes import SizeInSettings
from pgf_cli.core.models.caduceus import CaduceusMamba2Config, CaduceusMamba2LM

AXES = in_mamba_fwd(mamba2_sizes.AXES)
SIZE_AXES = mamba2_sizes.size_axes(AXES)
"""Which tensor decides which size, for messages."""


def sizes_of(tensors: Mapping[str, Tensor], where: object) -> dict[str, int | bool]:
    """Read what the tensors alone decide, by the fields of ``CaduceusMamba2Config``; errors as of Mamba-2's sizes."""
    return {**mamba2_sizes.sizes_of(tensors, where, AXES), "both_strands": "complement" in tensors}


def _all_sizes(tensors: Mapping[str, Tensor], where: object) -> dict[str, int | bool]:
    """The same with those of which a config is made once the number of groups is known."""
    return mamba2_sizes.all_sizes(tensors, where, AXES)


def _stated(settings: Fields, ssm: Fields) -> list[SizeInSettings]:
    return own_sizes(ssm, groups_of(ssm))


def _config(
    sizes: Mapping[str, Any], common: Mapping[str, Any], settings: Fields, ssm: Fields, where: object
) -> CaduceusMamba2Config:
    check_layers(ssm, settings.whole("d_model"))
    if common["norm_eps"] != NORM_EPS:
        raise CheckpointError(
            f"{settings.where}: norm_epsilon = {common['norm_eps']:g}, but the norms inside Mamba-2 mixers have "
            f"{NORM_EPS:g}, and only models with one for all are read."
        )
    return CaduceusMamba2Config(**in_groups(sizes, groups_of(ssm), settings.where, where), **options_of(ssm), **common)


def _note(ssm: Fields) -> str | None:
    """Rows of B and C are groups times states: where one is stated the tensors have the other."""
    if ssm.whole("ngroups") is not None or ssm.whole("d_state") is not None:
        return None
    return f"{ssm.where} has neither ngroups nor d_state: B and C are taken to be of one group, as Mamba2 has them"


CADUCEUS_MAMBA2 = Family(
    name="caduceus-mamba2",
    config=CaduceusMamba2Config,
    make=CaduceusMamba2LM,
    sizes=sizes_of,
    axes=SIZE_AXES,
    required=("d_model", "n_layer", "heads", "head_dim", "d_state", "d_conv", "vocab_size", "swapped"),
    traversal="layer by layer",
    vocabulary=lambda config: config.vocab_size,
    head=head_of,
    head_objectives=score_objectives,
    layouts=(caduceus_folder.layout(caduceus_folder.Mixers(True, _all_sizes, SIZE_AXES, _stated, _config, _note)),),
)
