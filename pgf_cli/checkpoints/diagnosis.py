"""Why a file is no checkpoint, in a line that a user can act on: looked up after reading it failed."""

import io
import pickletools
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from pgf_cli.checkpoints.errors import CheckpointError, UnsafeCheckpointError

# What torch.save itself asks for when it writes tensors in dictionaries.
_TENSOR_MODULES = {"torch", "torch._utils", "torch._tensor", "torch.storage", "torch.serialization", "collections"}
_AGAIN = "copy or download it again"


def why_not_safetensors(path: Path, error: Exception) -> CheckpointError:
    """Say why a safetensors file could not be read."""
    return _unreadable(path) or CheckpointError(f"{path} is damaged or cut short ({_line(error)}); {_AGAIN}.")


def why_not_pickle(path: Path, error: Exception) -> CheckpointError:
    """Say why a file of ``torch.save`` could not be read."""
    if wanted := _foreign_global(path):
        return UnsafeCheckpointError(
            f"{path} was refused: loading it would call {wanted}, and a checkpoint may hold tensors only; "
            "save model.state_dict() instead of whole objects, and do not trust this file."
        )
    return _unreadable(path) or CheckpointError(
        f"{path} is damaged, cut short or not a PyTorch checkpoint ({_line(error)}); {_AGAIN}."
    )


def folder_hint(path: Path) -> str:
    """Name the model folder around a file, where there is one."""
    return (
        f"; for a Hugging Face or mamba_ssm model give its folder, {path.parent}"
        if (path.parent / "config.json").exists()
        else ""
    )


def _unreadable(path: Path) -> CheckpointError | None:
    """The error for a file that cannot be opened, is empty, or is text; None for anything else."""
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        return CheckpointError(f"{path} cannot be read: {error.strerror}.")
    if not head:
        return CheckpointError(f"{path} is empty; {_AGAIN}.")
    if head.startswith(b"version https://git-lfs.github.com/"):
        return CheckpointError(f"{path} is a Git LFS pointer, not the weights; fetch them with `git lfs pull`.")
    first, *_ = head.splitlines()
    if re.fullmatch(rb"[\t\r\n\x20-\x7e]+", head):
        return CheckpointError(f"{path} is a text file ({first[:40].decode()!r}), not a checkpoint{folder_hint(path)}.")
    return None


def _foreign_global(path: Path) -> str | None:
    """The first thing that a pickle asks for and that tensors do not need."""
    try:
        wanted = next((f"{module}.{name}" for module, name in _globals(path) if module not in _TENSOR_MODULES), None)
    # Only names are sought here: whatever stops the search, the caller still refuses the file.
    except Exception:
        return None
    return wanted


def _globals(path: Path) -> Iterator[tuple[str, str]]:
    """Disassemble a pickle, without running it, into the functions and classes that it names."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            data = archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))
    else:
        data = path.read_bytes()
    stream = io.BytesIO(data)
    # Before its zip format torch wrote several pickles in a row, then raw numbers.
    while stream.tell() < len(data):
        strings: list[str] = []
        # Read to its end first: a text that happens to begin like a pickle names nothing.
        for opcode, argument, _ in list(pickletools.genops(stream)):
            if opcode.name in ("GLOBAL", "INST"):
                module, _, name = str(argument).partition(" ")
                yield module, name
            elif opcode.name == "STACK_GLOBAL":
                module, name = strings[-2:]
                yield module, name
            elif isinstance(argument, str):
                strings.append(argument)


def _line(error: Exception) -> str:
    """A library's message cut to one short line."""
    return (str(error).strip().splitlines() or [""])[0].split(". ")[0][:100] or type(error).__name__
