"""Are a run's outputs still the bytes that it wrote?"""

import hashlib
import stat
from pathlib import Path
from typing import Literal, NamedTuple

from pgf_cli.tracks.manifest import FileEntry
from pgf_cli.tracks.run_files import open_manifest, output_paths


class OutputState(NamedTuple):
    """What became of an output."""

    path: Path
    state: Literal["ok", "changed", "missing", "unreadable"]
    detail: str
    """In words; empty where it is ok."""


def check_outputs_of(manifest_path: Path) -> list[OutputState]:
    """Compare every output of a run with the size and the SHA-256 that its manifest gives, in the manifest's order.

    The manifest gives no hash of itself.

    Raises:
        ManifestError: it cannot be read, or names a file outside its own folder.
    """
    manifest = open_manifest(manifest_path)
    paths = output_paths(manifest_path, manifest)
    return [state_of(path, entry) for path, entry in zip(paths, manifest.outputs, strict=True)]


def state_of(path: Path, entry: FileEntry) -> OutputState:
    """Compare one output with what a manifest says of it."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return OutputState(path, "changed", "is no ordinary file any more")
        if found.st_size != entry.bytes:
            return OutputState(path, "changed", f"has {found.st_size:,} bytes, was written with {entry.bytes:,}")
        with path.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
    except FileNotFoundError:
        return OutputState(path, "missing", f"was written with {entry.bytes:,} bytes")
    except OSError as error:
        return OutputState(path, "unreadable", error.strerror or str(error))
    return OutputState(path, "ok", "") if same else OutputState(path, "changed", "has the same size, other content")
