"""config.json as ``transformers`` writes it for Mamba2ForCausalLM and Mamba2Model.

``chunk_size`` and ``norm_before_gate`` are not read: the one only changes how the same recurrence is evaluated, the
other was in old configs and never did anything.
"""

from pgf_cli.checkpoints.families.mamba2_folder import Groups, limits, read_mamba2
from pgf_cli.checkpoints.families.mamba2_sizes import MAPS
from pgf_cli.checkpoints.families.mamba_folder import Description
from pgf_cli.checkpoints.families.mamba_hugging_face import check_activation, has_head, named, sizes_in
from pgf_cli.checkpoints.fields import Fields
from pgf_cli.checkpoints.layout import Layout, Reading, Source
from pgf_cli.checkpoints.sizes import SizeInSettings

_CAUSAL, _HEADLESS = "Mamba2ForCausalLM", "Mamba2Model"
_SIZES = {
    "d_model": "hidden_size",
    "n_layer": "num_hidden_layers",
    "heads": "num_heads",
    "head_dim": "head_dim",
    "d_conv": "conv_kernel",
    "vocab_size": "vocab_size",
}
_GROUPS = 8
"""Where n_groups is left out."""


def recognises(source: Source) -> bool:
    """Whether config.json says that this is a Mamba-2 of transformers."""
    return named(source, "mamba2", _CAUSAL, _HEADLESS)


def read(source: Source, option: str | None) -> Reading:
    """Read a folder that was recognised.

    Raises:
        UnsupportedArchitectureError: the config names another activation.
        CheckpointError: a field has a value that it cannot have, or settings and tensors disagree.
    """
    settings = source.folder_settings
    check_activation(settings)
    groups = Groups(settings.whole("n_groups") or _GROUPS, "n_groups")
    described = Description(
        stated=_stated(settings, groups.number),
        norm_eps=settings.positive("layer_norm_epsilon") or 1e-5,
        projection_bias=settings.flag("use_bias") is True,
        conv_bias=settings.flag("use_conv_bias") is not False,
        head=has_head(settings, source.tensors, _CAUSAL, _HEADLESS),
        # Other than of Mamba, where a head is the embedding unless the config says that it is not.
        tied=settings.flag("tie_word_embeddings") is True,
        tied_field="tie_word_embeddings",
    )
    return read_mamba2(source, described, groups, limits(settings, "time_step_limit"), option)


def _stated(settings: Fields, groups: int) -> list[SizeInSettings]:
    stated = sizes_in(settings, _SIZES)
    d_model, expand, d_state = (settings.whole(name) for name in ("hidden_size", "expand", "state_size"))
    if d_model is not None and expand is not None:
        stated.append(SizeInSettings("d_inner", "expand x hidden_size", expand * d_model))
    if d_state is not None:
        stated.append(SizeInSettings(MAPS, "n_groups x state_size", groups * d_state))
    return stated


LAYOUT = Layout(
    name="Hugging Face",
    supports=f"model_type mamba2 ({_CAUSAL}, {_HEADLESS})",
    recognises=recognises,
    read=read,
    signs=("model_type", "architectures"),
)
