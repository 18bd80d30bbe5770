"""Tensors of a Mamba without a config.json: a bare ``.pt``, ``.ckpt``, ``.bin`` or ``.safetensors``."""

import re

from pgf_cli.checkpoints.bare import LAYOUT as BARE
from pgf_cli.checkpoints.bare import refuse_beside_settings
from pgf_cli.checkpoints.families.mamba_folder import (
    PREFIX,
    Description,
    read_described,
    renamed,
    repeats_embedding,
    short_name,
)
from pgf_cli.checkpoints.family import HEAD
from pgf_cli.checkpoints.layout import Layout, Reading, Source

_NORM_EPS = 1e-5
"""A constant of mamba_ssm and the default of transformers; tensors do not have it."""

_OWN = re.compile(r"layers\.\d+\.mixer\.(?:x_proj|dt_proj)\.weight")
_OTHERS = re.compile(
    r"(?:layers\.\d+\.norm|norm_f|embeddings?)\.bias|layers\.\d+\.(?:mixer\.dt_bias|norm2\..*|mlp\..*)"
)
"""Tensors of blocks with LayerNorm, Mamba-2 or an MLP, which are other families."""


def recognises(source: Source) -> bool:
    """Whether a file holds the tensors of a plain Mamba."""
    if source.settings is not None:
        return False
    names = [short_name(name) for name in source.tensors]
    return any(map(_OWN.fullmatch, names)) and not any(map(_OTHERS.fullmatch, names))


def read(source: Source, option: str | None) -> Reading:
    """Read a file that was recognised: sizes by its tensors, tokens by ``--alphabet``.

    Raises:
        CheckpointError: config.json lies beside it, or the tensors are not all a Mamba's.
    """
    refuse_beside_settings(source)
    names = renamed(source.tensors, short_name, source.weights.where)
    own_head = HEAD in names and not repeats_embedding(names)
    inside = any(name.startswith(PREFIX) for name in source.tensors)
    head = ", and its head to be its embedding" if inside and HEAD not in names else ""
    described = Description(
        stated=[],
        norm_eps=_NORM_EPS,
        projection_bias=any(name.endswith(".in_proj.bias") for name in names),
        # Where there shall be none only a config.json can say so: else one that was lost would not be missed.
        conv_bias=True,
        # Safetensors files of a model whose head is its embedding leave the head out; a backbone has no prefix.
        head=HEAD in names or inside,
        tied=not own_head,
        tied_field="tie_embeddings",
        note=f"bare tensors do not say norm_eps: it is taken to be {_NORM_EPS:g}, as mamba_ssm has it{head}",
    )
    return read_described(source, described, option)


LAYOUT = Layout(
    name=BARE,
    supports="bare tensors of Mamba1",
    recognises=recognises,
    read=read,
    signs=("embedding.weight", "embeddings.weight", "layers.0.mixer.A_log", "layers.0.mixer.x_proj.weight"),
)
