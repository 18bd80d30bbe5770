"""config.json as mamba_ssm writes it for MambaLMHeadModel.

Source: the configuration and the model files of the state-spaces/mamba repository.
"""

import math
from collections.abc import Mapping

from torch import Tensor

from pgf_cli.checkpoints.errors import CheckpointError, UnsupportedArchitectureError, shown
from pgf_cli.checkpoints.families.mamba_folder import Description, read_described
from pgf_cli.checkpoints.fields import Fields
from pgf_cli.checkpoints.layout import Layout, Reading, Source
from pgf_cli.checkpoints.sizes import SizeInSettings

NORM_EPS = 1e-5
"""A constant of mamba_ssm: its config does not have it."""


def recognises(source: Source) -> bool:
    """Whether this program wrote config.json, and its layers are not known to be Mamba2's."""
    return written(source) and not is_mamba2(source)


def written(source: Source) -> bool:
    """Whether this program wrote config.json: it names sizes in its own way, and no family."""
    values = source.settings.values if source.settings else {}
    named = {name for name, value in values.items() if value is not None}
    return bool({"d_model", "n_layer", "ssm_cfg"} & named) and not {"model_type", "architectures"} & named


def is_mamba2(source: Source) -> bool:
    """Whether the layers of a folder are Mamba2's: by its config, or by its tensors where that does not say."""
    layers = source.folder_settings.values.get("ssm_cfg") or {}
    layer = layers.get("layer") if isinstance(layers, Mapping) else None
    if layer is not None:
        return bool(layer == "Mamba2")
    return any(name.endswith(".mixer.dt_bias") for name in source.tensors)


def read(source: Source, option: str | None) -> Reading:
    """Read a folder that was recognised.

    Raises:
        UnsupportedArchitectureError: it is no plain Mamba with RMS norms; the message says by which field or tensor.
        CheckpointError: a field has a value that it cannot have, or settings and tensors disagree.
    """
    settings = source.folder_settings
    layer = layers_of(settings).text("layer") or "Mamba1"
    if layer != "Mamba1":
        raise unsupported(settings, f"ssm_cfg.layer = {shown(layer)}")
    check_blocks(settings)
    return read_described(source, _describe(settings, source.tensors), option)


def check_blocks(settings: Fields) -> None:
    """Refuse what is not one layer with an RMS norm in each block."""
    if settings.flag("rms_norm") is False:
        raise unsupported(settings, "rms_norm = false (LayerNorm)")
    if width := settings.values.get("d_intermediate"):
        raise unsupported(settings, f"d_intermediate = {shown(width)} (an MLP in each block)")


def _describe(settings: Fields, tensors: Mapping[str, Tensor]) -> Description:
    """Read the settings; what ssm_cfg leaves out is read off the tensors.

    ``residual_in_fp32`` and ``fused_add_norm`` are not read: they only change how formats below float32 round.

    Raises:
        UnsupportedArchitectureError: the tensors are Mamba-2's, though the config says otherwise.
        CheckpointError: a field has a value that it cannot have, or n_layer is missing.
    """
    if dt_bias := next((name for name in tensors if name.endswith(".mixer.dt_bias")), None):
        raise unsupported(settings, f"a model of Mamba2 layers (it has {dt_bias})")
    layers = layers_of(settings)
    return Description(
        stated=[*common_sizes(settings, layers), *mamba1_sizes(settings, layers)],
        norm_eps=NORM_EPS,
        projection_bias=layers.flag("bias") is True,
        conv_bias=layers.flag("conv_bias") is not False,
        head=True,
        tied=settings.flag("tie_embeddings") is not False,
        tied_field="tie_embeddings",
    )


def layers_of(settings: Fields) -> Fields:
    """Return ssm_cfg: the settings of the layers."""
    values = settings.values.get("ssm_cfg") or {}
    if not isinstance(values, Mapping):
        raise settings.wrong("ssm_cfg", "an object with the settings of the layers")
    return Fields(values, f"{settings.where}: ssm_cfg")


def mamba1_sizes(settings: Fields, layers: Fields) -> list[SizeInSettings]:
    """Return the sizes that the config states of Mamba1 layers alone."""
    d_model = settings.whole("d_model")
    automatic = layers.values.get("dt_rank", "auto") == "auto"
    found = [
        ("d_state", "d_state", layers.whole("d_state")),
        ("dt_rank", "dt_rank", (d_model and math.ceil(d_model / 16)) if automatic else layers.whole("dt_rank")),
    ]
    return [SizeInSettings(size, field, value) for size, field, value in found if value is not None]


def common_sizes(settings: Fields, layers: Fields) -> list[SizeInSettings]:
    """Return the sizes that the config states of layers of any kind.

    Raises:
        CheckpointError: a field has a value that it cannot have, or n_layer is missing.
    """
    if settings.whole("n_layer") is None:
        raise CheckpointError(f"{settings.where} has no n_layer; get the config.json that the weights came with.")
    d_model, expand, vocab = settings.whole("d_model"), layers.whole("expand"), settings.whole("vocab_size")
    multiple = settings.whole("pad_vocab_size_multiple") or 8
    found = [
        ("d_model", "d_model", d_model),
        ("n_layer", "n_layer", settings.whole("n_layer")),
        ("d_inner", "expand x d_model", expand and d_model and expand * d_model),
        ("d_conv", "d_conv", layers.whole("d_conv")),
        ("vocab_size", f"vocab_size, padded to a multiple of {multiple},", vocab and -(-vocab // multiple) * multiple),
    ]
    return [SizeInSettings(size, field, value) for size, field, value in found if value is not None]


def unsupported(settings: Fields, found: str) -> UnsupportedArchitectureError:
    """Make the error for what is not read."""
    return UnsupportedArchitectureError(
        f"{settings.where}: {found} is not supported; of mamba_ssm's models those of Mamba1 or Mamba2 layers with RMS "
        "norms are, without MLP."
    )


LAYOUT = Layout(
    name="mamba_ssm",
    supports="mamba_ssm folders of Mamba1",
    recognises=recognises,
    read=read,
    signs=("d_model", "n_layer", "ssm_cfg"),
)
