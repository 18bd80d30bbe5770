"""What training programs put around a model: prefixes, which are taken off, and adapters, which are refused."""

import re
from collections.abc import Container, Iterable
from pathlib import Path

from torch import Tensor

from pgf_cli.checkpoints.errors import TensorError, UnsupportedArchitectureError
from pgf_cli.checkpoints.layout import Weights

_LONGEST_NAME = 300

_AROUND = ("module.", "_orig_mod.", "_forward_module.", "model.", "net.")
"""DataParallel and its kin, torch.compile, DeepSpeed, Lightning modules. Names without it lie beside the model: of a
loss, say."""

_ANYWHERE = re.compile(r"(?<![^.])(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""What torch also puts around single layers; no model calls anything so."""

_ADAPTER = re.compile(
    r"(?:^|\.)(?:lora_\w+|ia3_\w+|hada_\w+|lokr_\w+|oft_\w+|boft_\w+|vera_\w+|base_layer|modules_to_save"
    r"|prompt_encoder|prompt_embeddings)(?:\.|$)"
)
"""Names that the PEFT library gives to the parts of its adapters."""

_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")
_MERGE = (
    "merge them into the weights first (PEFT: model.merge_and_unload().save_pretrained(FOLDER)) and give that folder"
)


def unwrapped(weights: Weights, own: Container[str] = frozenset()) -> Weights:
    """Take off wrappers' prefixes, nested in any order.

    Args:
        weights: as the files have them.
        own: names of tensors that the model is known to have; once one shows, what is before others is no wrapper's.

    Raises:
        UnsupportedArchitectureError: there are an adapter's tensors, without whose product the model is another.
        TensorError: two tensors would have one name, or one has none that anybody could read.
    """
    tensors, where, others = weights
    if endless := next((name for name in (*tensors, *others) if len(name) > _LONGEST_NAME), None):
        raise TensorError(f"{where} has a tensor whose name has {len(endless):,} characters; the file is damaged.")
    if adapter := next(filter(_ADAPTER.search, (*tensors, *others)), None):
        raise UnsupportedArchitectureError(f"{where} holds an adapter's tensors, such as {adapter}: {_MERGE}.")
    names = {name: _ANYWHERE.sub("", name) for name in tensors}
    while prefix := _wrapper_s_prefix(names.values(), own):
        names = {name: short.removeprefix(prefix) for name, short in names.items()}
    renamed: dict[str, Tensor] = {}
    for name, short in names.items():
        if short in renamed:
            raise TensorError(f"{where} holds {short} twice, once as {name}; save it again with one.")
        renamed[short] = tensors[name]
    return weights._replace(tensors=renamed)


def refuse_adapter_files(folder: Path) -> None:
    """Refuse a folder in which an adapter lies beside the weights, or alone.

    Raises:
        UnsupportedArchitectureError: it does: programs that know adapters would apply it.
    """
    if found := next((name for name in _ADAPTER_FILES if (folder / name).exists()), None):
        raise UnsupportedArchitectureError(
            f"{folder} has {found}: its adapters change the model; {_MERGE}, or take the adapter's files away to run "
            "the model without it."
        )


def _wrapper_s_prefix(names: Iterable[str], own: Container[str]) -> str | None:
    listed = list(names)
    if any(name in own for name in listed):
        return None
    return next((prefix for prefix in _AROUND if any(name.startswith(prefix) for name in listed)), None)
