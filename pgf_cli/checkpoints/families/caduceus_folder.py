"""Folders of Caduceus as ``transformers`` saves them: Caduceus PH and PS, PlantCaduceus, PlantCAD2.

Published ones differ in what they leave out. In safetensors tied tensors are absent: the reverse mixer's projections
and the head. Files of ``architectures: ["Caduceus"]`` (PlantCaduceus) have neither the prefix ``caduceus.`` nor a head,
though they are masked language models whose head is the embedding. PS wraps mixers and embedding once more, and norms
only where ``fused_add_norm`` is false.

Source: the repository kuleshov-group/caduceus and the files that it published.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pgf_cli.checkpoints.alphabets import Alphabet
from pgf_cli.checkpoints.errors import CheckpointError, UnsupportedArchitectureError, shown
from pgf_cli.checkpoints.families.mamba_folder import renamed, without_tied_head
from pgf_cli.checkpoints.families.mamba_sizes import LABELS
from pgf_cli.checkpoints.families.mamba_ssm import NORM_EPS, common_sizes, layers_of
from pgf_cli.checkpoints.fields import Fields
from pgf_cli.checkpoints.folder_alphabet import folder_alphabet
from pgf_cli.checkpoints.layout import Layout, Reading, Source, architectures_of
from pgf_cli.checkpoints.sizes import Axis, SizeInSettings, check_sizes, extent
from pgf_cli.checkpoints.tokenizers import read_tokenizer
from pgf_cli.core.models.caduceus import NO_MASK
from pgf_cli.core.models.protocol import BaseIds

MODEL_TYPE = "caduceus"
_MASKED, _BARE, _CLASSIFIER = "CaduceusForMaskedLM", "Caduceus", "CaduceusForSequenceClassification"

_RENAMED = (
    (re.compile(r"^caduceus\."), ""),
    (re.compile(r"^backbone\."), ""),
    (re.compile(r"^embeddings\.word_embeddings\.(embedding\.)?"), "embedding."),
    (re.compile(r"\.mixer\.submodule\."), ".mixer."),
    (re.compile(r"\.norm\.submodule\."), ".norm."),
    (re.compile(r"^norm_f\.submodule\."), "norm_f."),
    (re.compile(r"^lm_head\.(lm_head\.)?"), "lm_head."),
)
_COMPLEMENTS = ("embedding.complement_map", "lm_head.complement_map")
_SHARED = re.compile(r"^(layers\.\d+\.mixer\.)mamba_rev\.((?:in|out)_proj\..*)$")

_MAMBA2_SIGN = ".mamba_fwd.dt_bias"

TOKENS = {
    16: (BaseIds(7, 8, 9, 10, 11), 3, "the tokens of Caduceus"),
    8: (BaseIds(3, 4, 5, 6, 2), 1, "the tokens of PlantCaduceus, N as [UNK]"),
}
"""By the size of the vocabulary: what these models' tokenizers, which are code, make of the bases; and of [MASK]."""


class Mixers(NamedTuple):
    """How mixers of one kind are made of tensors and settings."""

    mamba2: bool
    """Which of the two kinds they are."""
    sizes: Callable[[Mapping[str, Tensor], object], Mapping[str, Any]]
    axes: Mapping[str, Axis]
    """Which tensor decides which size, for messages."""
    stated: Callable[[Fields, Fields], list[SizeInSettings]]
    """The sizes of the mixers alone in ssm_cfg, the second argument; the first one is the whole config.json."""
    config: Callable[[Mapping[str, Any], Mapping[str, Any], Fields, Fields, object], Any]
    """The model's config: from the sizes, further fields of it, config.json, ssm_cfg and where the tensors are."""
    note: Callable[[Fields], str | None] = lambda ssm: None
    """What is taken for granted, by ssm_cfg."""


def in_mamba_fwd(axes: Mapping[str, Axis]) -> dict[str, Axis]:
    """Return the axes of a layer's one mixer as those of its forward mixer."""
    return {
        size: axis._replace(tensor=axis.tensor.replace("mixer.", "mixer.mamba_fwd.")) for size, axis in axes.items()
    }


def layout(mixers: Mixers) -> Layout:
    """Return the layout of folders of Caduceus with such mixers: config.json does not tell which they are."""
    return Layout(
        name="Hugging Face",
        supports=f"model_type {MODEL_TYPE}",
        recognises=lambda source: recognises(source) and _is_mamba2(source) == mixers.mamba2,
        read=lambda source, option: _read(source, option, mixers),
        signs=("model_type", "architectures"),
        folder_signs=(_MAMBA2_SIGN if mixers.mamba2 else ".mamba_fwd.x_proj.weight",),
    )


def recognises(source: Source) -> bool:
    """Whether config.json says that this is a Caduceus."""
    if source.settings is None:
        return False
    named = source.settings.text("model_type")
    return named == MODEL_TYPE or bool({_MASKED, _BARE, _CLASSIFIER} & set(architectures_of(source.settings)))


def _is_mamba2(source: Source) -> bool:
    """Whether the mixers are Mamba-2's; PlantCAD2's config.json does not say so."""
    return any(name.endswith((_MAMBA2_SIGN, ".mamba_rev.dt_bias")) for name in source.tensors)


def _read(source: Source, option: str | None, mixers: Mixers) -> Reading:
    settings, (found, where, _) = source.folder_settings, source.weights
    _check_supported(settings)
    tensors = renamed(found, _short_name, where)
    both_strands = settings.flag("rcps") is True
    complement = _complement(tensors, settings, where) if both_strands else None
    for name in _COMPLEMENTS:
        tensors.pop(name, None)
    if complement is not None:
        tensors["complement"] = complement
    if settings.flag("bidirectional_weight_tie") is not False:
        _share(tensors, settings, where)
    sizes, ssm = mixers.sizes(tensors, where), layers_of(settings)
    stated = [*common_sizes(settings, ssm), *mixers.stated(settings, ssm)]
    check_sizes(sizes, mixers.axes, stated, settings.where, where)
    tied = settings.flag("tie_word_embeddings") is not False
    classifier = _CLASSIFIER in architectures_of(settings)
    head = not classifier
    if head and tied:
        tensors = without_tied_head(tensors, "tie_word_embeddings", settings.where, where)
    letters, mask = _letters(source, option, settings, int(sizes["vocab_size"]))
    if complement is not None and letters.base_ids is not None:
        _check_complement(complement, letters.base_ids, where)
    fields = {
        "norm_eps": settings.positive("norm_epsilon") or NORM_EPS,
        "projection_bias": ssm.flag("bias") is True,
        "conv_bias": ssm.flag("conv_bias") is not False,
        "head": head,
        "tied": tied,
        "both_strands": both_strands,
        # Left out, it is true: the default of Caduceus's own config.
        "swapped": both_strands and settings.flag("fused_add_norm") is not False,
        "mask_id": mask,
        # Beside a language model such a head is no part of it.
        "labels": extent(tensors, LABELS, where) if classifier else 0,
        "pools_last": classifier and _pools_last(settings),
    }
    pooled = f"the score is taken of the {'last base' if fields['pools_last'] else 'mean over all bases'}" * classifier
    return Reading(
        mixers.config(sizes, fields, settings, ssm, where),
        tensors,
        letters,
        frozenset(name for name in tensors if name.startswith(("layers.", "embedding.", "norm_f."))),
        "; ".join(filter(None, (mixers.note(ssm), pooled))) or None,
    )


def _check_supported(settings: Fields) -> None:
    """Refuse what is no Caduceus of two directions that are added up, with RMS norms."""
    if settings.flag("bidirectional") is False:
        raise _unsupported(settings, "bidirectional = false")
    if (strategy := settings.text("bidirectional_strategy") or "add") != "add":
        raise _unsupported(settings, f"bidirectional_strategy = {shown(strategy)} (no published model has it)")
    if settings.flag("rms_norm") is False:
        raise _unsupported(settings, "rms_norm = false (LayerNorm)")


def _unsupported(settings: Fields, found: str) -> UnsupportedArchitectureError:
    return UnsupportedArchitectureError(
        f"{settings.where}: {found} is not supported; of Caduceus those are that add up two directions, with RMS norms."
    )


def _short_name(name: str) -> str:
    for pattern, by in _RENAMED:
        name = pattern.sub(by, name)
    return name


def _complement(tensors: Mapping[str, Tensor], settings: Fields, where: object) -> Tensor:
    """The token of each token's complement, (vocab,)."""
    stored = next((tensors[name] for name in _COMPLEMENTS if name in tensors), None)
    if stored is not None:
        return stored.to(torch.float32)
    stated = settings.values.get("complement_map")
    if not isinstance(stated, Mapping):
        raise CheckpointError(f"{where} has no complement_map, and {settings.where} neither; get both again.")
    try:
        of_token = {int(token): int(other) for token, other in stated.items()}
        return torch.tensor([of_token[token] for token in range(len(of_token))], dtype=torch.float32)
    except (TypeError, ValueError, KeyError) as error:
        raise settings.wrong("complement_map", "an object that gives each token another") from error


def _check_complement(complement: Tensor, ids: BaseIds, where: object) -> None:
    if complement[[ids.a, ids.c]].tolist() != [ids.t, ids.g]:
        raise CheckpointError(
            f"{where}: complement_map takes token {ids.a} (A) to {int(complement[ids.a])} and {ids.c} (C) to "
            f"{int(complement[ids.c])}, where T is {ids.t} and G {ids.g}; name the right tokens with --alphabet."
        )


def _share(tensors: dict[str, Tensor], settings: Fields, where: object) -> None:
    """Give the reverse mixers the projections that they share with the forward ones."""
    for name in [name for name in tensors if re.match(r"layers\.\d+\.mixer\.mamba_fwd\.(in|out)_proj\.", name)]:
        tensors.setdefault(name.replace("mamba_fwd", "mamba_rev"), tensors[name])
    for name, tensor in tensors.items():
        match = _SHARED.match(name)
        if match and not torch.equal(tensor, tensors.get(f"{match[1]}mamba_fwd.{match[2]}", tensor)):
            raise CheckpointError(
                f"{settings.where} says that both directions share their projections, but in {where} {name} is not "
                "mamba_fwd's; if they were trained apart, set bidirectional_weight_tie to false."
            )


def _pools_last(settings: Fields) -> bool:
    """Whether a classifier reads the last base's hidden state; left out, it is the mean, its class's own default."""
    pooling = settings.text("pooling_strategy") or "mean"
    if pooling not in ("mean", "last"):
        raise UnsupportedArchitectureError(
            f"{settings.where}: pooling_strategy = {shown(pooling)} is not supported; mean and last are."
        )
    for name in ("conjoin_train", "conjoin_eval", "conjoin_test"):
        if settings.flag(name):
            raise UnsupportedArchitectureError(
                f"{settings.where}: {name} = true (two strands read one after the other) is not supported; use "
                "--strand average with a model that reads one."
            )
    return pooling == "last"


def _letters(source: Source, option: str | None, settings: Fields, vocab: int) -> tuple[Alphabet, int]:
    """Which token is which base, and which is [MASK]."""
    tokenizer = read_tokenizer(source.path, source.inputs)
    ids, mask, words = TOKENS.get(vocab, (None, NO_MASK, ""))
    if tokenizer is not None:
        mask = next((int(tokenizer.ids[name]) for name in ("[MASK]", "<mask>") if name in tokenizer.ids), mask)
    listed = tokenizer is not None and tokenizer.base_ids(vocab) is not None
    if option is None and ids is not None and not listed and "alphabet" not in settings.values:
        return Alphabet(ids, words), mask
    return folder_alphabet(source.path, settings, option, vocab, source.inputs), mask
