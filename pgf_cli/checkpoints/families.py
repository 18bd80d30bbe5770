"""The model families that a checkpoint can hold: what distinguishes them, in one place."""

from dataclasses import fields

import torch

from pgf_cli.core.models import (
    BaseIds,
    FrechetConfig,
    FrechetModel,
    MambaConfig,
    MambaLM,
    OutputLayer,
    StreamingModel,
)

ModelConfig = MambaConfig | FrechetConfig
"""The sizes and settings of a model of either family."""

ARCHITECTURES: dict[str, type[ModelConfig]] = {"mamba": MambaConfig, "frechet": FrechetConfig}
"""By the names that our own format gives them."""

HEAD = "lm_head.weight"

_NO_IDS = BaseIds(0, 0, 0, 0, None)


def architecture_of(config: ModelConfig) -> str:
    """Return the family's name."""
    return next(name for name, kind in ARCHITECTURES.items() if isinstance(config, kind))


def field_names(kind: type[ModelConfig]) -> tuple[str, ...]:
    """Return the names of a family's settings."""
    return tuple(field.name for field in fields(kind))


def output_layers(config: ModelConfig) -> tuple[OutputLayer, ...]:
    """Return what the model can be asked for, the default first."""
    if isinstance(config, MambaConfig) and config.head:
        return "logprobs", "logits", "hidden"
    return ("hidden",)


def make_model(config: ModelConfig, base_ids: BaseIds | None, output: OutputLayer) -> StreamingModel:
    """Make a model whose weights hold nothing yet.

    Args:
        config: the model's sizes.
        base_ids: token ids of the bases; None for a model that reads the one-hot itself.
        output: one of ``output_layers(config)``.
    """
    with torch.device("meta"):
        if isinstance(config, FrechetConfig):
            return FrechetModel(config)
        return MambaLM(config, base_ids or _NO_IDS, output)


def shapes_of(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return the model's tensors by name; asked of the model itself, so that they are written down once."""
    model = make_model(config, None, "hidden")
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def optional_tensors(config: ModelConfig) -> tuple[str, ...]:
    """Return tensors that some models of the family have: one that this config does not foresee contradicts it."""
    return (HEAD,) if isinstance(config, MambaConfig) and config.head else ()
