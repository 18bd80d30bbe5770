"""What cannot be run and why, in one table: how each kind of layer is recognised, the reason, and what to do instead.

A refusal names the first layer that cannot be streamed. Fields of a config.json are asked first; names of tensors only
where no layout knows the checkpoint, as families that are read may call their own tensors so.

Source of the names: the public repositories and config files of HyenaDNA, StripedHyena (Evo), transformers, mamba_ssm,
torch.nn.MultiheadAttention and H-Net.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from pgf_cli.checkpoints.errors import Refused, UnsupportedArchitectureError, shown
from pgf_cli.checkpoints.fields import Fields

EVERY_LAYER = -1
"""Instead of a layer's number: a field says that there are such layers, not which."""

RECURRENT = "take a model whose layers are recurrences (Mamba and its kin), or its own library and autograd on a window"
OWN_FAMILY = "describe its arithmetic as a family of your own, see docs/own-family.md (--model-family)"

_TENSORS_SHOWN = 12
_NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")
_STATE_SPACE = re.compile(r"(?:^|\.)A_log$")


class Sign(NamedTuple):
    """A field of config.json that tells of a kind of layer."""

    field: str
    first: Callable[[Any], int | None]
    """The number of the first such layer by the field's value, or ``EVERY_LAYER``; None: there is none."""
    weak: bool = False
    """Whether a model without such layers may have the field, too: then it counts where no layout knows the model."""


class Kind(NamedTuple):
    """A kind of layer that cannot be streamed, or is not."""

    name: str
    """What has it, for people."""
    layer: str
    """What the layer is: follows `is`."""
    reason: str
    """A clause."""
    instead: str
    tensors: re.Pattern[str]
    """Found in the names of its tensors; what is matched last is the layer's own name."""
    models: frozenset[str] = frozenset()
    """Values of ``model_type``."""
    classes: re.Pattern[str] = re.compile(r"(?!)")
    """Found in the names of ``architectures``."""
    signs: tuple[Sign, ...] = ()
    verdict: str = "cannot be streamed"
    """What follows for the checkpoint."""


class Finding(NamedTuple):
    """A layer that cannot be streamed, found in a checkpoint."""

    kind: Kind
    number: int
    layer: str
    because: str


def _least(value: Any) -> int | None:
    """The least of a list of layers' numbers."""
    if not isinstance(value, list):
        return EVERY_LAYER if value else None
    return min((each for each in value if type(each) is int), default=None)


def _named(word: str) -> Callable[[Any], int | None]:
    """Where a list, or a text of one letter a layer, first names such a layer."""

    def first(value: Any) -> int | None:
        kinds = [kind if isinstance(kind, str) else "" for kind in value] if isinstance(value, list | str) else []
        return next((i for i, kind in enumerate(kinds) if word in kind and "linear" not in kind), None)

    return first


def _layer(name: str) -> Callable[[Any], int | None]:
    """Where mamba_ssm's settings of the layers name such a one."""
    return lambda value: EVERY_LAYER if isinstance(value, Mapping) and value.get("layer") == name else None


def _above(least: int) -> Callable[[Any], int | None]:
    return lambda value: EVERY_LAYER if type(value) is int and value > least else None


def _offset(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


HYENA = Kind(
    name="HyenaDNA",
    layer="an implicit long convolution",
    reason="its filter is as long as the sequence, so there is no finite state to hand from tile to tile",
    instead=RECURRENT,
    tensors=re.compile(r"(?:^|\.)(?:filter_fn|implicit_filter)(?=\.)"),
    models=frozenset({"hyenadna", "hyena"}),
    classes=re.compile(r"^Hyena"),
)
ATTENTION = Kind(
    name="attention",
    layer="attention",
    reason="every base is compared with all before it, so the state grows with the sequence: none of fixed size passes "
    "from tile to tile",
    instead=RECURRENT,
    tensors=re.compile(
        r"(?:^|\.)(?:self_attn|self_attention|SelfAttention|inner_mha_cls|mha|attn|attention|mixer)"
        r"(?=\.(?:self|[qkv]_proj|q_lin|query|[qkvo]|qkv|Wqkv|c_attn|in_proj_weight|query_key_value|qkv_proj|inner_attn"
        r"|attention)(?:\.|$))"
        r"|(?:^|\.)(?:(?!\w*[Nn]orm)\w*(?:attn|attention)\w*|Wqkv)(?=\.)|(?:^|\.)(?:in_proj_weight|Wqkv)$"
    ),
    models=frozenset({"bert", "esm", "gpt2", "gpt_neox", "llama", "mistral", "mixtral", "roberta", "t5", "modernbert"}),
    classes=re.compile(r"(?i)bert|gpt|llama|mistral|mixtral|qwen|transformer|^esm|^t5"),
    signs=(
        Sign("attn_layer_idx", _least),
        Sign("attn_layer_idxs", _least),
        Sign("layers_block_type", _named("attention")),
        Sign("layer_types", _named("attention")),
        Sign("hybrid_override_pattern", _named("*")),
        Sign("attn_layer_offset", _offset),
        Sign("num_attention_heads", _above(0), weak=True),
    ),
)
EXPERTS = Kind(
    name="a mixture of experts",
    layer="a mixture of experts",
    reason="which experts read a base is a choice that jumps, so the derivative says nothing about the router, and no "
    "family here has one",
    instead="take a model whose layers have one path for every base, or " + OWN_FAMILY,
    tensors=re.compile(r"(?:^|\.)\w*(?:experts?|router|block_sparse_moe|moe)(?=\.)"),
    signs=(
        Sign("num_local_experts", _above(1)),
        Sign("num_experts", _above(1)),
        Sign("n_routed_experts", _above(0)),
        Sign("expert_layer_offset", _offset),
    ),
)
STRIPED_HYENA = Kind(
    name="StripedHyena (Evo)",
    layer="a Hyena operator between layers of attention",
    reason="only some of StripedHyena's filters have a finite state (poles and residues), and its attention has none",
    instead=RECURRENT,
    tensors=re.compile(
        r"(?:^|\.)blocks\.\d+\.(?:filter(?=\.(?:poles|residues|log_poles|h|D|R|p|gamma|short_filter_weight)$)"
        r"|hyena_mlp(?=\.))"
    ),
    models=frozenset({"stripedhyena", "stripedhyena2", "evo", "evo2"}),
    classes=re.compile(r"^StripedHyena"),
    signs=(Sign("hyena_layer_idxs", _least), Sign("hcl_layer_idxs", _least), Sign("hcs_layer_idxs", _least)),
)
CHUNKS = Kind(
    name="dynamic chunks",
    layer="a router of chunks",
    reason="where a chunk ends is a choice of the model, so the layers above do not read base by base",
    instead=RECURRENT,
    tensors=re.compile(r"(?:^|\.)(?:routing_module|chunk_layer|dechunk_layer)(?=\.)"),
)
MAMBA3 = Kind(
    name="Mamba-3",
    layer="a Mamba-3 mixer",
    reason="its programs disagree on A, and nothing in a checkpoint names one: -softplus(x) with a floor (mamba_ssm "
    "2.3.2 on PyPI, fla); -(1 + x), or -1/(1 - x) below 0 (mamba_ssm's repository since June 2026); -exp(A_log) "
    "(mixlab)",
    instead="take a Mamba-1 or Mamba-2 model",
    tensors=re.compile(r"\.mixer(?=\.[BC]_bias$)"),
    models=frozenset({"mamba3"}),
    signs=(Sign("ssm_cfg", _layer("Mamba3")),),
    verdict="is not read yet",
)
KINDS = (HYENA, STRIPED_HYENA, CHUNKS, EXPERTS, MAMBA3, ATTENTION)
"""Asked in this order; of two layers with one number the one listed first is named."""

SEVERAL_BASES = Kind(
    name="a vocabulary of several bases a token (k-mers or BPE)",
    layer="a vocabulary of several bases a token",
    reason="a token is several bases, so there is no value for each base",
    instead="take a model of single bases, or, if single bases have tokens of their own, name them with --alphabet",
    tensors=re.compile(r"(?!)"),
)


def find(settings: Fields | None, tensors: Mapping[str, Tensor], *, known: bool) -> list[Finding]:
    """Find layers that cannot be streamed, the first of the model first.

    Args:
        settings: a folder's config.json.
        tensors: by name; empty where they are not to be asked.
        known: whether a layout knows the checkpoint; weak signs count where none does.
    """
    found = [each for kind in KINDS if settings and (each := _in_settings(kind, settings, known=known))]
    found += [each for kind in KINDS if (each := _in_names(kind, tensors))]
    # A tensor's name says more than a field: it comes first where both speak of one kind.
    by_kind = {each.kind.name: each for each in found}
    return sorted(by_kind.values(), key=lambda each: (max(each.number, 0), KINDS.index(each.kind)))


def kind_of_tensor(name: str, names: Iterable[str]) -> Finding | None:
    """Find the kind of layer that one tensor is of, but for kinds that a family's own ``names`` look like."""
    own = list(names)
    kinds = [kind for kind in KINDS if not any(kind.tensors.search(each) for each in own)]
    return next((each for kind in kinds if (each := _in_names(kind, (name,)))), None)


def refusal(
    where: object, findings: list[Finding], settings: Fields | None, tensors: Mapping[str, Tensor]
) -> UnsupportedArchitectureError:
    """Make the error for what was found, of which there is something."""
    first, *rest = findings
    error = UnsupportedArchitectureError(
        f"{where}: {first.layer} is {first.kind.layer}{_of(first)} and {first.kind.verdict}: {first.kind.reason}; "
        f"{first.kind.instead}."
    )
    spaces = [f"tensor {name}" for name in tensors if _STATE_SPACE.search(name)][:1]
    kinds = " and ".join(each.kind.name for each in findings)
    error.refused = Refused(
        recognised_as=kinds + (" beside state space layers" if spaces else ""),
        because=(
            *_described(settings),
            *(each.because for each in findings),
            *spaces,
        ),
        layer=f"{first.layer}: {first.kind.layer}",
        reason=f"{first.kind.reason}.",
        instead=f"{first.kind.instead}.",
        also=tuple(f"{each.layer} is {each.kind.layer}: {each.kind.reason}" for each in rest),
        tensors=overview(tensors),
    )
    return error


def unknown(settings: Fields | None, tensors: Mapping[str, Tensor], supported: str) -> Refused:
    """Say on a page that no family knows a checkpoint."""
    return Refused(
        recognised_as="none of the families that are read",
        because=(*_described(settings), f"supported are {supported}"),
        layer=next(iter(tensors), "its tensors were not read"),
        reason="Its tensors' names and its settings are of no family that is read, so its arithmetic is not known.",
        instead=f"If it is one of them under other names, save it under these; else {OWN_FAMILY}.",
        tensors=overview(tensors),
    )


def several_bases(evidence: str) -> Refused:
    """Say on a page that tokens are several bases."""
    return Refused(
        recognised_as=SEVERAL_BASES.name,
        because=(evidence,),
        layer="the embedding: a row is several bases",
        reason=f"{SEVERAL_BASES.reason}.",
        instead=f"{SEVERAL_BASES.instead}.",
    )


def overview(tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Return what there is, tensors of one name but for their layer's number taken together."""
    grouped: dict[str, list[Tensor]] = {}
    for name, tensor in tensors.items():
        grouped.setdefault(_NUMBER.sub("#", name), []).append(tensor)
    lines = [
        f"{len(each)} x {name} {tuple(each[0].shape)}" if len(each) > 1 else f"{name} {tuple(each[0].shape)}"
        for name, each in grouped.items()
    ]
    more = len(lines) - _TENSORS_SHOWN
    return (*lines[:_TENSORS_SHOWN], *([f"and {more:,} more"] if more > 0 else []))


def _of(finding: Finding) -> str:
    """What says so, where it is not the layer's own name."""
    kind, field = finding.kind, finding.layer not in finding.because
    said = [*([kind.name] if kind.name != kind.layer else []), *([finding.because] if field else [])]
    return f" ({', '.join(said)})" if said else ""


def _described(settings: Fields | None) -> tuple[str, ...]:
    values = settings.values if settings else {}
    return tuple(f"{name} = {shown(values[name])}" for name in ("model_type", "architectures") if values.get(name))


def _in_settings(kind: Kind, settings: Fields, *, known: bool) -> Finding | None:
    values = settings.values
    for sign in kind.signs:
        if sign.field in values and not (sign.weak and known):
            number = sign.first(values[sign.field])
            if number is not None:
                layer = "each layer" if number == EVERY_LAYER else f"layer {number}"
                return Finding(kind, number, layer, f"{sign.field} = {shown(values[sign.field])}")
    family, classes = values.get("model_type"), values.get("architectures")
    if isinstance(family, str) and family in kind.models:
        return Finding(kind, EVERY_LAYER, "each layer", f"model_type = {shown(family)}")
    for name in classes if isinstance(classes, list) and not known else ():
        if isinstance(name, str) and kind.classes.search(name):
            return Finding(kind, EVERY_LAYER, "each layer", f"architectures names {shown(name)}")
    return None


def _in_names(kind: Kind, names: Iterable[str]) -> Finding | None:
    found = []
    for name in names:
        if match := kind.tensors.search(name):
            number = _NUMBER.search(name)
            found.append(Finding(kind, int(number[0]) if number else 0, name[: match.end()], f"tensor {name}"))
    return min(found, key=lambda each: each.number, default=None)
