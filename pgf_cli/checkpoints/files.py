"""A checkpoint in one file: our own format, or the bare state dict that the paper's published code saves."""

from pathlib import Path

from torch import Tensor

from pgf_cli.checkpoints.alphabets import one_hot_alphabet
from pgf_cli.checkpoints.checkpoint import Checkpoint
from pgf_cli.checkpoints.fitting import fit
from pgf_cli.checkpoints.frechet import inferred_config, is_state_dict
from pgf_cli.checkpoints.own_format import parts_of_pickle, parts_of_safetensors, read_own
from pgf_cli.checkpoints.tensor_files import named_tensors, read_pickle, read_safetensors

PAPER_LAYOUT = "the paper's state dict"


def read_file(path: Path, alphabet: str | None) -> Checkpoint:
    """Read a checkpoint of one file; see ``read_checkpoint`` for arguments and errors."""
    if path.suffix == ".safetensors":
        content = read_safetensors(path)
        if "architecture" not in content.metadata and is_state_dict(content.tensors):
            return _read_state_dict(content.tensors, path, alphabet)
        return read_own(parts_of_safetensors(content, path), path, alphabet)
    pickled = read_pickle(path)
    if is_state_dict(pickled):
        return _read_state_dict(named_tensors(pickled, path), path, alphabet)
    return read_own(parts_of_pickle(pickled, path), path, alphabet)


def _read_state_dict(tensors: dict[str, Tensor], path: Path, alphabet: str | None) -> Checkpoint:
    letters = one_hot_alphabet(alphabet, path)
    config = inferred_config(tensors, path)
    kept, ignored = fit(tensors, config, path)
    return Checkpoint(
        path=path,
        files=(path,),
        layout=PAPER_LAYOUT,
        config=config,
        tensors=kept,
        base_ids=letters.base_ids,
        alphabet_source=letters.source,
        note=None,
        ignored=ignored,
    )
