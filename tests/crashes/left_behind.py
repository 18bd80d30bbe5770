"""What a run leaves behind: read without the program's own readers, and compared with what it should be."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from crash_scenes import PREFIX

MANIFEST = f"{PREFIX}.run.json"
PARTS = f"{PREFIX}.parts"
TIMES = {"started", "seconds", "bases_per_second", "peak_memory_bytes", "command"}
"""Of a manifest, what two equal runs differ in."""
HOW_STARTED = {"resume", "force"}
"""The settings that do so."""


class Outputs(NamedTuple):
    """A finished run's files."""

    files: Mapping[str, bytes]
    """All but the manifest."""
    manifest: Any
    """Without times."""


def read_outputs(folder: Path) -> Outputs:
    """Read the outputs of a run that is finished.

    Raises:
        AssertionError: it is not, or something else stands there.
    """
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in (MANIFEST, PARTS)}
    assert not (folder / PARTS).exists(), f"{PARTS} is left: {sorted(p.name for p in (folder / PARTS).iterdir())}"
    text = (folder / MANIFEST).read_text()
    listed = {entry["path"]: (entry["bytes"], entry["sha256"]) for entry in json.loads(text)["outputs"]}
    there = {name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in files.items()}
    assert listed == there, f"the manifest does not list what is there: {_differing(listed, there)}"
    return Outputs(files, _without_times(json.loads(text)))


def check_finished(folder: Path, wanted: Outputs) -> None:
    """See that a folder holds a finished run, byte for byte the one that is wanted, and nothing else.

    Raises:
        AssertionError: it does not.
    """
    found = read_outputs(folder)
    assert found.files == wanted.files, f"other content: {_differing(found.files, wanted.files)}"
    assert found.manifest == wanted.manifest, f"other manifest: {_differing(found.manifest, wanted.manifest)}"


def check_unfinished(folder: Path, wanted: Outputs, older: Outputs | None) -> None:
    """See that a run that died left nothing that would be mistaken for a result.

    A manifest stands there only with all its files; every file there is whole; all are of one run, the older or the
    new one; nothing else stands beside them but the folder of unfinished work.

    Raises:
        AssertionError: it did.
    """
    versions = [wanted] if older is None else [wanted, older]
    names = {path.name for path in folder.iterdir()} - {PARTS}
    if MANIFEST in names:
        text = json.loads((folder / MANIFEST).read_text())
        of = [one for one in versions if one.manifest == _without_times(text)]
        assert of, "a manifest stands there that is no finished run's"
        files = {name: (folder / name).read_bytes() for name in names - {MANIFEST}}
        assert files == of[0].files, f"a manifest stands beside other files: {_differing(files, of[0].files)}"
        return
    content = {name: (folder / name).read_bytes() for name in names}
    for name, found in content.items():
        assert any(one.files.get(name) == found for one in versions), f"{name} is no run's: {len(found)} bytes"
    assert any(all(one.files.get(name) == found for name, found in content.items()) for one in versions), (
        f"files of two runs stand together: {sorted(content)}"
    )


def check_one_line(stderr: str) -> None:
    """See that what a failure said is one line.

    Raises:
        AssertionError: it is not.
    """
    errors = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, f"no single line: {stderr!r}"
    assert "Traceback" not in stderr, stderr
    assert "bug" not in errors[0], stderr


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _without_times(each) for name, each in value.items() if name not in TIMES}
        if "settings" in kept:
            kept["settings"] = {name: each for name, each in kept["settings"].items() if name not in HOW_STARTED}
        return kept
    return [_without_times(each) for each in value] if isinstance(value, list) else value


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> Sequence[str]:
    return sorted(name for name in {**one, **other} if one.get(name) != other.get(name))
