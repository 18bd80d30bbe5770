"""The files of a finished run, found from its prefix or from any of them; the manifest is read as what it is: input."""

import stat
from collections.abc import Iterable
from pathlib import Path

from pgf_cli.tracks.estimates import readable_bytes
from pgf_cli.tracks.manifest import MANIFEST_SUFFIX, Manifest, ManifestError, read_manifest

LARGEST_MANIFEST = 1_000_000_000
"""Bytes: more than a run of a hundred thousand records writes."""
MOST_BYTES = 2**63
"""No file is larger, nor any process."""
NAMED = 3


def find_run(prefix_or_file: Path) -> Path:
    """Return the manifest of the run that a prefix or any of the run's files belongs to.

    Raises:
        ManifestError: no manifest stands beside it.
    """
    found = _found(prefix_or_file)
    if found is not None:
        return found
    if _is_folder(prefix_or_file):
        runs = sorted(map(str, prefix_or_file.glob(f"*{MANIFEST_SUFFIX}")))
        here = f"in it are {', '.join(runs[:NAMED])}{', ...' if len(runs) > NAMED else ''}" if runs else "it holds none"
        raise ManifestError(f"{prefix_or_file} is a folder, no run; name the prefix or any file of a run: {here}")
    raise ManifestError(
        f"no run found at {prefix_or_file}: there is no {prefix_or_file}{MANIFEST_SUFFIX}; "
        "name the prefix or any file of a run"
    )


def open_manifest(path: Path) -> Manifest:
    """Read a manifest that may be anything: a pipe, huge, binary, tampered with.

    Raises:
        ManifestError: it is no manifest of this version, or it says what no run can have said.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ManifestError(f"{path} is no ordinary file; name the prefix or any file of a run")
        if found.st_size > LARGEST_MANIFEST:
            raise ManifestError(f"{path} is no run manifest: it has {readable_bytes(found.st_size)}")
        with path.open("rb") as file:
            if not file.read(64).lstrip().startswith(b"{"):
                raise ManifestError(f"{path} is no run manifest: it does not begin as JSON; name the prefix of a run")
    except (OSError, ValueError) as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError(
            f"cannot read the manifest {path}: {getattr(error, 'strerror', None) or error}; "
            "name the prefix or any file of a run"
        ) from error
    manifest = read_manifest(path)
    output_paths(path, manifest)
    _check_sizes(path, [entry.bytes for entry in manifest.outputs])
    _check_sizes(path, (record.peak_memory_bytes for record in manifest.records))
    return manifest


def output_paths(path: Path, manifest: Manifest) -> list[Path]:
    """Return where a run's outputs lie: in the manifest's own folder, each under a plain name.

    Args:
        path: the manifest's.
        manifest: what it says.

    Raises:
        ManifestError: it names a file elsewhere.
    """
    for entry in manifest.outputs:
        if not is_plain_name(entry.path):
            raise ManifestError(
                f"{path} names the output {entry.path!r}, which is no plain name of a file in its own folder: "
                "it is not as `run` wrote it; nothing of it is read"
            )
    return [path.with_name(entry.path) for entry in manifest.outputs]


def is_plain_name(name: str) -> bool:
    """Whether a name leads to nothing but a file in the folder that it is looked up in."""
    return name not in ("", ".", "..") and Path(name).name == name and "\0" not in name


def _check_sizes(path: Path, sizes: Iterable[int]) -> None:
    for size in sizes:
        if not 0 <= size < MOST_BYTES:
            raise ManifestError(f"{path} gives a size that no file can have: it is not as `run` wrote it")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _found(prefix_or_file: Path) -> Path | None:
    name = prefix_or_file.name
    if not name:
        return None
    stems = [name] + [name[:dot] for dot in range(len(name) - 1, 0, -1) if name[dot] == "."]
    if name.endswith(MANIFEST_SUFFIX):
        stems.insert(0, name.removesuffix(MANIFEST_SUFFIX))
    for stem in stems:
        candidate = prefix_or_file.with_name(stem + MANIFEST_SUFFIX)
        try:
            # A pipe or a folder of that name is found too: what it is, is said when it is opened.
            candidate.lstat()
        except (OSError, ValueError):
            continue
        return candidate
    return None
