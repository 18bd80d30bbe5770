"""config.json as ``transformers`` writes it for MambaForCausalLM and MambaModel."""

import math
from collections.abc import Mapping

from torch import Tensor

from pgf_cli.checkpoints.description import PREFIX, Description
from pgf_cli.checkpoints.errors import CheckpointError, UnsupportedArchitectureError
from pgf_cli.checkpoints.families import HEAD
from pgf_cli.checkpoints.fields import Fields
from pgf_cli.checkpoints.sizes import Stated

LAYOUT = "Hugging Face"

_CAUSAL, _HEADLESS = "MambaForCausalLM", "MambaModel"
_SIZES = {
    "channels": "hidden_size",
    "layers": "num_hidden_layers",
    "inner": "intermediate_size",
    "state": "state_size",
    "conv": "conv_kernel",
    "dt_rank": "time_step_rank",
    "vocab": "vocab_size",
}


def check_family(settings: Fields) -> None:
    """Refuse what is not a plain Mamba.

    Raises:
        UnsupportedArchitectureError: the config names another family or activation, or no family at all.
        CheckpointError: a field has a value that it cannot have.
    """
    names = _architectures(settings)
    family = settings.text("model_type")
    if family != "mamba" and (family is not None or not {_CAUSAL, _HEADLESS} & set(names)):
        found = f"model_type {family!r}" if family is not None else f"architectures {names}"
        raise UnsupportedArchitectureError(
            f"{settings.where}: {found} is not supported; supported are Hugging Face folders with model_type 'mamba' "
            f"({_CAUSAL}, {_HEADLESS}), mamba_ssm folders and single files."
        )
    activation = settings.values.get("hidden_act", "silu")
    if activation != "silu":
        raise UnsupportedArchitectureError(
            f"{settings.where}: hidden_act is {activation!r:.40}; only 'silu' is supported."
        )


def describe(settings: Fields, tensors: Mapping[str, Tensor]) -> Description:
    """Read the settings; a size that is left out is read off the tensors, but for the number of layers.

    Raises:
        CheckpointError: a field has a value that it cannot have, or num_hidden_layers is missing.
    """
    return Description(
        stated=_stated(settings),
        norm_eps=settings.positive("layer_norm_epsilon", 1e-5),
        projection_bias=settings.flag("use_bias", False),
        conv_bias=settings.flag("use_conv_bias", True),
        head=_has_head(settings, tensors),
        tied=settings.flag("tie_word_embeddings", True),
        tied_field="tie_word_embeddings",
    )


def _architectures(settings: Fields) -> list[str]:
    names = settings.values.get("architectures") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise settings.wrong("architectures", f'a list of names such as ["{_CAUSAL}"]')
    return names


def _has_head(settings: Fields, tensors: Mapping[str, Tensor]) -> bool:
    names = _architectures(settings)
    if not names:
        # MambaModel saves itself without the prefix that it has inside MambaForCausalLM.
        return HEAD in tensors or any(name.startswith(PREFIX) for name in tensors)
    return _CAUSAL in names or (HEAD in tensors and _HEADLESS not in names)


def _stated(settings: Fields) -> list[Stated]:
    """The sizes in config.json; of what it leaves out, only the number of layers cannot be read off the tensors."""
    if settings.whole("num_hidden_layers") is None:
        raise CheckpointError(
            f"{settings.where} has no num_hidden_layers; get the config.json that the weights came with."
        )
    channels = settings.whole("hidden_size")
    automatic = settings.values.get("time_step_rank") == "auto"
    stated = [
        Stated(size, field, value)
        for size, field in _SIZES.items()
        if not (size == "dt_rank" and automatic) and (value := settings.whole(field)) is not None
    ]
    if automatic and channels is not None:
        stated.append(Stated("dt_rank", "time_step_rank", math.ceil(channels / 16)))
    return stated
