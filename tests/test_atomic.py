"""Write-then-rename; what the system was asked for is recorded in the order of asking."""

import os
from pathlib import Path

import pytest

from pgf_cli.atomic import write_atomically


def test_the_content_is_on_the_disk_before_its_name_and_the_name_before_the_end(tmp_path, monkeypatch):
    asked = []
    sync, replace = os.fsync, Path.replace

    def recorded_sync(descriptor):
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        asked.append(("sync", "folder" if path.is_dir() else path.read_bytes()))
        sync(descriptor)

    def recorded_replace(part, path):
        asked.append(("rename", path.name))
        return replace(part, path)

    monkeypatch.setattr(os, "fsync", recorded_sync)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    write_atomically(tmp_path / "file", lambda file: file.write(b"content"))
    assert asked == [("sync", b"content"), ("rename", "file"), ("sync", "folder")]
    assert (tmp_path / "file").read_bytes() == b"content"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_what_was_there_and_nothing_beside_it(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(file):
        file.write(b"half")
        raise error

    with pytest.raises(type(error)):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_as_long_as_names_can_be(tmp_path):
    path = tmp_path / ("n" * 255)
    write_atomically(path, lambda file: file.write(b"x"))
    assert list(tmp_path.iterdir()) == [path]
