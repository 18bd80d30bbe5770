"""config.json as mamba_ssm writes it for MambaLMHeadModel with layers of Mamba2.

Source: the configuration and the Mamba2 module of the state-spaces/mamba repository.
"""

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
    _check_layers(layers, settings.whole("d_model"))
    groups = Groups(layers.whole("ngroups") or 1, "ssm_cfg.ngroups")
    described = Description(
        stated=_stated(settings, layers, groups.number),
        norm_eps=mamba_ssm.NORM_EPS,
        projection_bias=layers.flag("bias") is True,
        conv_bias=layers.flag("conv_bias") is not False,
        head=True,
        tied=settings.flag("tie_embeddings") is not False,
        tied_field="tie_embeddings",
    )
    options = {"gated_norm": layers.flag("rmsnorm") is not False, **limits(layers, "dt_limit")}
    return read_mamba2(source, described, groups, options, option)


def _check_layers(layers: Fields, d_model: int | None) -> None:
    if layers.flag("norm_before_gate"):
        raise mamba_ssm.unsupported(layers, "norm_before_gate = true")
    if (activation := layers.values.get("activation", "swish")) not in {"silu", "swish"}:
        raise mamba_ssm.unsupported(layers, f"activation = {shown(activation)}")
    d_ssm, E = layers.whole("d_ssm"), d_model and (layers.whole("expand") or 2) * d_model
    if d_ssm is not None and d_ssm != E:
        raise mamba_ssm.unsupported(layers, f"d_ssm = {d_ssm} (an MLP beside the recurrence)")


def _stated(settings: Fields, layers: Fields, groups: int) -> list[SizeInSettings]:
    d_state = layers.whole("d_state")
    found = [
        ("head_dim", "headdim", layers.whole("headdim")),
        (MAPS, "ngroups x d_state", d_state and groups * d_state),
        ("skip_per_channel", "D_has_hdim", layers.flag("D_has_hdim")),
    ]
    common = mamba_ssm.common_sizes(settings, layers)
    return [*common, *(SizeInSettings(size, field, value) for size, field, value in found if value is not None)]


LAYOUT = Layout(
    name="mamba_ssm",
    supports="mamba_ssm folders of Mamba2",
    recognises=recognises,
    read=read,
    signs=("d_model", "n_layer", "ssm_cfg"),
)
"""Also where the config does not name its layers, and the tensors show them."""
