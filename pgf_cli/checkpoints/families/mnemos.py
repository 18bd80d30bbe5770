"""Mnemos-DNA, the arms of pure Kimi delta attention: the ``model.pt`` of a run.

Beside it lies a config.yaml, which is not read: the tensors have every size. Two things they do not have: that no
rotary positions are used (the pure-kda-d01 arm has none) and that the sequence begins without [BOS]; the checkpoint's
note says so. The arms with local attention or k-mer memories are refused.

Source: the model's definition, tokenizer and loader in recall-bench 0.2.1 (MIT), which were read; the weights were not.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from pgf_cli.checkpoints.alphabets import known_alphabet
from pgf_cli.checkpoints.errors import TensorError, UnsupportedArchitectureError
from pgf_cli.checkpoints.families.mamba_sizes import EMBEDDING, count_layers
from pgf_cli.checkpoints.family import HEAD, Family, head_of
from pgf_cli.checkpoints.layout import Layout, Reading, Source
from pgf_cli.checkpoints.sizes import Axis, extents
from pgf_cli.core.models import BaseIds, KdaConfig, KdaLM

MNEMOS_IDS = BaseIds(3, 4, 5, 6, 7)
"""After [PAD], [BOS] and [UNK]."""

_AXES = {
    "d_model": Axis(EMBEDDING, 2, 1),
    "heads": Axis("layers.0.attn.A_log", 1, 0),
    "d_conv": Axis("layers.0.attn.q_conv.conv.weight", 3, 2),
    "d_mlp": Axis("layers.0.ffn.w_gate.weight", 2, 0),
    "vocab_size": Axis(EMBEDDING, 2, 0),
}
_NAMES = (("tok_emb.", "embedding."), ("blocks.", "layers."), ("final_norm.", "norm_f."))
_NORM_EPS = 1e-6
"""A constant of the program."""
_NOTE = "read without rotary positions and without [BOS], as the arm pure-kda-d01 is; the file does not say"
_TELLING = (".attn.q_conv.conv.weight", ".attn.alpha_proj.weight", ".attn.beta_proj.weight", ".attn.dt_bias")
_ATTENTION = re.compile(r"(blocks\.\d+)\.attn\.q_proj\.weight")


def _sizes(tensors: Mapping[str, Tensor], where: object) -> dict[str, int]:
    """Read the sizes off the tensors, by the fields of ``KdaConfig``.

    Raises:
        TensorError: one is missing, or the heads cannot share the channels.
    """
    found = extents(tensors, _AXES, where)
    if found["d_model"] % found["heads"]:
        raise TensorError(
            f"{where}: {_AXES['heads'].tensor} has {found['heads']} heads for the {found['d_model']} channels of "
            f"{EMBEDDING}; the checkpoint is of another family or damaged."
        )
    return {**found, "n_layer": count_layers(tensors, where)}


def _recognises(source: Source) -> bool:
    """Whether a file holds blocks with this attention's short convolutions and gates, as this program names them."""
    if source.settings is not None:
        return False
    blocks = [name for name in source.tensors if name.startswith("blocks.")]
    return sum(any(name.endswith(end) for name in blocks) for end in _TELLING) >= 2


def _read(source: Source, option: str | None) -> Reading:
    weights = source.weights
    _refuse_other_layers(weights.tensors, weights.where)
    tensors = {_short(name): tensor for name, tensor in weights.tensors.items()}
    sizes = _sizes(tensors, weights.where)
    tied = HEAD not in tensors or torch.equal(tensors[HEAD], tensors[EMBEDDING])
    if tied:
        tensors.pop(HEAD, None)
    config = KdaConfig(**sizes, norm_eps=_NORM_EPS, head=True, tied=tied)
    letters = known_alphabet(option, MNEMOS_IDS, config.vocab_size, "Mnemos-DNA's characters")
    return Reading(config, tensors, letters, frozenset(tensors), _NOTE)


def _refuse_other_layers(tensors: Mapping[str, Tensor], where: object) -> None:
    """Refuse an arm in which attention of another kind stands between the layers."""
    blocks = [match[1] for name in tensors if (match := _ATTENTION.fullmatch(name))]
    own = (".attn.A_log", ".attn.alpha_proj.weight", ".attn.q_conv.conv.weight")
    for block in blocks:
        if not any(block + end in tensors for end in own):
            raise UnsupportedArchitectureError(
                f"{where}: {block} is attention over a window, not Kimi delta attention; "
                "of Mnemos-DNA only the arms of pure KDA are read."
            )


def _short(name: str) -> str:
    """What the model calls a tensor of the file."""
    for theirs, ours in _NAMES:
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name


KDA = Family(
    name="kda",
    config=KdaConfig,
    make=KdaLM,
    sizes=_sizes,
    axes=_AXES,
    required=("d_model", "n_layer", "heads", "d_conv", "d_mlp", "vocab_size"),
    vocabulary=lambda config: config.vocab_size,
    head=head_of,
    layouts=(
        Layout(
            name="Mnemos-DNA",
            supports="Mnemos-DNA (pure KDA)",
            recognises=_recognises,
            read=_read,
            signs=_TELLING,
        ),
    ),
)
