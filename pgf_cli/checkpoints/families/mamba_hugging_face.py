"""config.json as ``transformers`` writes it for MambaForCausalLM and MambaModel."""

import math
from collections.abc import Mapping

from torch import Tensor

from pgf_cli.checkpoints.errors import CheckpointError, UnsupportedArchitectureError, shown
from pgf_cli.checkpoints.families.mamba_folder import PREFIX, Description, read_described
from pgf_cli.checkpoints.family import HEAD
from pgf_cli.checkpoints.fields import Fields
from pgf_cli.checkpoints.layout import Layout, Reading, Source, architectures_of
from pgf_cli.checkpoints.sizes import SizeInSettings

_CAUSAL, _HEADLESS, _CLASSIFIER = "MambaForCausalLM", "MambaModel", "MambaForSequenceClassification"
CLASSIFIER_NOTE = "the score is taken to be of the last base, as transformers' classifiers of causal models have it"
_SIZES = {
    "d_model": "hidden_size",
    "n_layer": "num_hidden_layers",
    "d_inner": "intermediate_size",
    "d_state": "state_size",
    "d_conv": "conv_kernel",
    "dt_rank": "time_step_rank",
    "vocab_size": "vocab_size",
}


def recognises(source: Source) -> bool:
    """Whether config.json says that this is a plain Mamba of transformers."""
    return named(source, "mamba", _CAUSAL, _HEADLESS, _CLASSIFIER)


def named(source: Source, model_type: str, *architectures: str) -> bool:
    """Whether config.json names a family of transformers, by its ``model_type``, or by a class where it has none."""
    if source.settings is None:
        return False
    family = source.settings.text("model_type")
    if family is not None:
        return family == model_type
    return bool(set(architectures) & set(architectures_of(source.settings)))


def read(source: Source, option: str | None) -> Reading:
    """Read a folder that was recognised.

    Raises:
        UnsupportedArchitectureError: the config names another activation.
        CheckpointError: a field has a value that it cannot have, or settings and tensors disagree.
    """
    settings = source.folder_settings
    check_activation(settings)
    return read_described(source, _describe(settings, source.tensors), option)


def check_activation(settings: Fields) -> None:
    """Refuse another activation than that of all published models.

    Raises:
        UnsupportedArchitectureError: the config names one.
    """
    activation = settings.values.get("hidden_act", "silu")
    if activation != "silu":
        raise UnsupportedArchitectureError(
            f"{settings.where}: hidden_act is {shown(activation)}; only 'silu' is supported."
        )


def _describe(settings: Fields, tensors: Mapping[str, Tensor]) -> Description:
    """Read the settings; a size that is left out is read off the tensors, but for the number of layers.

    Raises:
        CheckpointError: a field has a value that it cannot have, or num_hidden_layers is missing.
    """
    return Description(
        stated=_stated(settings),
        norm_eps=settings.positive("layer_norm_epsilon") or 1e-5,
        projection_bias=settings.flag("use_bias") is True,
        conv_bias=settings.flag("use_conv_bias") is not False,
        head=has_head(settings, tensors, _CAUSAL, _HEADLESS),
        tied=settings.flag("tie_word_embeddings") is not False,
        tied_field="tie_word_embeddings",
        classifier=_CLASSIFIER in architectures_of(settings),
        note=CLASSIFIER_NOTE if _CLASSIFIER in architectures_of(settings) else None,
    )


def has_head(settings: Fields, tensors: Mapping[str, Tensor], causal: str, headless: str) -> bool:
    """Whether a folder holds a language model, given the names of transformers' classes with and without a head."""
    names = architectures_of(settings)
    if not names:
        # A model without a head saves itself without the prefix that it has inside one with a head.
        return HEAD in tensors or any(name.startswith(PREFIX) for name in tensors)
    return causal in names or (HEAD in tensors and headless not in names)


def _stated(settings: Fields) -> list[SizeInSettings]:
    d_model = settings.whole("hidden_size")
    if settings.values.get("time_step_rank") != "auto":
        return sizes_in(settings, _SIZES)
    stated = sizes_in(settings, {size: field for size, field in _SIZES.items() if size != "dt_rank"})
    if d_model is not None:
        stated.append(SizeInSettings("dt_rank", "time_step_rank", math.ceil(d_model / 16)))
    return stated


def sizes_in(settings: Fields, names: Mapping[str, str]) -> list[SizeInSettings]:
    """Return the sizes in config.json; of what it leaves out, only the number of layers is not read off the tensors.

    Args:
        settings: config.json.
        names: what it calls each size.

    Raises:
        CheckpointError: num_hidden_layers is missing, or a field has a value that it cannot have.
    """
    if settings.whole("num_hidden_layers") is None:
        raise CheckpointError(
            f"{settings.where} has no num_hidden_layers; get the config.json that the weights came with."
        )
    return [
        SizeInSettings(size, field, value)
        for size, field in names.items()
        if (value := settings.whole(field)) is not None
    ]


LAYOUT = Layout(
    name="Hugging Face",
    supports=f"model_type mamba ({_CAUSAL}, {_HEADLESS})",
    recognises=recognises,
    read=read,
    signs=("model_type", "architectures"),
)
