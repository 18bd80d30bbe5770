"""config.json as mamba_ssm writes it for MambaLMHeadModel with layers of Mamba2.

Source: the configuration and the Mamba2 module of the state-spaces/mamba repository.
"""

from typing import Any

from pgf_cli.checkpoints.errors import shown
from pgf_cli.checkpoints.families import mamba_ssm
from pgf_cli.checkpoints.families.mamba2_folder import Groups, limits, read_mamba2
from pgf_cli.checkpoints.families.mamba2_sizes import MAPS
from pgf_cli.checkpoints.families.mamba_folder import Description
from pgf_cli.checkpoints.fields import Fields
from pgf_cli.checkpoints.layout import Layout, Reading, Source
from pgf_cli.checkpoints.sizes import SizeInSettings


def recognises(source: Source) -> bool:
    """Whether this program wrote config.json, and the layers are Mamba2's."""
    return mamba_ssm.written(source) and mamba_ssm.is_mamba2(source)


def read(source: Source, option: str | None) -> Reading:
    """Read a folder that was recognised.

    Raises:
        UnsupportedArchitectureError: its blocks are more than a Mamba2 with RMS norms; the message says by which field.
        CheckpointError: a field has a value that it cannot have, or settings and tensors disagree.
    """
    settings = source.folder_settings
    mamba_ssm.check_blocks(settings)
    layers = mamba_ssm.layers_of(settings)
    check_layers(layers, settings.whole("d_model"))
    groups = groups_of(layers)
    described = Description(
        stated=[*mamba_ssm.common_sizes(settings, layers), *own_sizes(layers, groups)],
        norm_eps=mamba_ssm.NORM_EPS,
        projection_bias=layers.flag("bias") is True,
        conv_bias=layers.flag("conv_bias") is not False,
        head=True,
        tied=settings.flag("tie_embeddings") is not False,
        tied_field="tie_embeddings",
    )
    return read_mamba2(source, described, groups, options_of(layers), option)


def groups_of(layers: Fields) -> Groups:
    """Return how many groups the settings of the layers name: one where they name none, as Mamba2 has it."""
    return Groups(layers.whole("ngroups") or 1, "ssm_cfg.ngroups")


def options_of(layers: Fields) -> dict[str, Any]:
    """Return fields of ``Mamba2Config`` that are no sizes."""
    return {"gated_norm": layers.flag("rmsnorm") is not False, **limits(layers, "dt_limit")}


def check_layers(layers: Fields, d_model: int | None) -> None:
    """Refuse what is more than a recurrence, or has its parts in another order.

    Raises:
        UnsupportedArchitectureError: the message says by which field.
    """
    if layers.flag("norm_before_gate"):
        raise mamba_ssm.unsupported(layers, "norm_before_gate = true")
    if (activation := layers.values.get("activation", "swish")) not in {"silu", "swish"}:
        raise mamba_ssm.unsupported(layers, f"activation = {shown(activation)}")
    d_ssm, E = layers.whole("d_ssm"), d_model and (layers.whole("expand") or 2) * d_model
    if d_ssm is not None and d_ssm != E:
        raise mamba_ssm.unsupported(layers, f"d_ssm = {d_ssm} (an MLP beside the recurrence)")


def own_sizes(layers: Fields, groups: Groups) -> list[SizeInSettings]:
    """Return the sizes that the settings of the layers state and that Mamba1 does not have."""
    d_state = layers.whole("d_state")
    found = [
        ("head_dim", "headdim", layers.whole("headdim")),
        (MAPS, "ngroups x d_state", d_state and groups.number * d_state),
        ("skip_per_channel", "D_has_hdim", layers.flag("D_has_hdim")),
    ]
    return [SizeInSettings(size, field, value) for size, field, value in found if value is not None]


LAYOUT = Layout(
    name="mamba_ssm",
    supports="mamba_ssm folders of Mamba2",
    recognises=recognises,
    read=read,
    signs=("d_model", "n_layer", "ssm_cfg"),
    folder_signs=(".mixer.dt_bias",),
)
"""Also where the config does not name its layers, and the tensors show them."""
