"""Why a file is no checkpoint, in a line that a user can act on."""

import re
from pathlib import Path
from typing import BinaryIO

from pgf_cli.checkpoints.errors import CheckpointError

AGAIN = "copy or download it again"


def why_unreadable(file: BinaryIO, path: Path) -> CheckpointError | None:
    """The error for an open file that is empty, a Git LFS pointer or text; None for anything else.

    The file is left at its beginning.
    """
    head = file.read(512)
    file.seek(0)
    if not head:
        return CheckpointError(f"{path} is empty; {AGAIN}.")
    if head.startswith(b"version https://git-lfs.github.com/"):
        return CheckpointError(f"{path} is a Git LFS pointer, not the weights; fetch them with `git lfs pull`.")
    first, *_ = head.splitlines()
    if re.fullmatch(rb"[\t\r\n\x20-\x7e]+", head):
        return CheckpointError(f"{path} is a text file ({first[:40].decode()!r}), not a checkpoint{folder_hint(path)}.")
    return None


def folder_hint(path: Path) -> str:
    """Name the model folder around a file, where there is one."""
    return (
        f"; for a Hugging Face or mamba_ssm model give its folder, {path.parent}"
        if (path.parent / "config.json").exists()
        else ""
    )


def line_of(error: Exception) -> str:
    """A library's message cut to one short line."""
    return (str(error).strip().splitlines() or [""])[0].split(". ")[0][:100] or type(error).__name__
