"""A run's files are put in place by a process that dies, as by SIGKILL, before each of its calls to the disk in turn.

A program of its own, without threads, so that it can fork: FOLDER SCENARIO. It prints a line of JSON for every death:
what stood there then, after the next opening, and after an opening that died in its turn and the one after that.
"""

import errno
import hashlib
import itertools
import json
import os
import shutil
import sys
import types
import typing
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from pgf_cli.tracks.folder import RunFolder
from pgf_cli.tracks.manifest import FileEntry, Manifest, manifest_text, read_manifest
from pgf_cli.tracks.output_set import OutputSet, finish_commit
from pgf_cli.tracks.verification import state_of

CALLS = ("open", "mkdir", "fsync", "replace", "rename", "link", "unlink", "rmdir")
OLD = {".csv": "old csv", ".bw": "old bigWig that the new run does not write", ".hits.tsv": "old hits"}
NEW = {".csv": "new csv", ".hits.tsv": "new hits", ".response.bedgraph": "new bedGraph"}
BYSTANDERS = {"x.fa": ">chr1", "x.notes.txt": "mine", "y.csv": "another prefix's"}
DIED, STOPPED = 9, 7


def blank(kind: Any) -> Any:
    """Something of a type."""
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{field.name: blank(hints[field.name]) for field in fields(kind)})
    if isinstance(kind, types.UnionType):
        return None
    return (typing.get_origin(kind) or kind)()


def manifest_of(contents: dict[str, str]) -> str:
    """The manifest of a run that wrote these files."""
    entries = [
        FileEntry(f"x{suffix}", len(content), hashlib.sha256(content.encode()).hexdigest())
        for suffix, content in contents.items()
    ]
    return manifest_text(Manifest(**{**blank(Manifest).__dict__, "outputs": entries}))


def earlier_run(folder: Path) -> None:
    """What a complete run left."""
    for suffix, content in OLD.items():
        (folder / f"x{suffix}").write_text(content)
    (folder / "x.run.json").write_text(manifest_of(OLD))


def commit(folder: Path, *, force: bool) -> None:
    """A run that has computed and puts its files in place."""
    with RunFolder.hold(folder / "x") as held:
        (held.path / "key.json").write_text("{}")
        (held.path / "000000.tangent.values").write_text("a part")
        held.kept = True
        outputs = OutputSet(held, force=force)
        try:
            for suffix, content in NEW.items():
                outputs.stage(folder / f"x{suffix}").write_text(content)
            outputs.stage(folder / "x.run.json").write_text(manifest_of(NEW))
            outputs.commit(folder / "x.run.json")
        finally:
            outputs.discard()


def recover(folder: Path) -> None:
    """The next run: it finishes what was begun, and does not go on from parts."""
    with RunFolder.hold(folder / "x") as held:
        finish_commit(held)
        held.clear()


def in_child(do: Callable[[], None], die_at: int | None = None, *, links: bool = True) -> int:
    """Do something in a process that dies before a call; return its exit code."""
    child = os.fork()
    if child == 0:
        try:
            disturb(die_at, links=links)
            do()
            os._exit(0)
        except OSError:
            os._exit(STOPPED)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def disturb(die_at: int | None, *, links: bool) -> None:
    """Count the calls and die before one of them; nothing is synced, which would only take time here."""
    count = itertools.count()
    for name in CALLS:
        call = (lambda *_: None) if name == "fsync" else getattr(os, name)
        if name == "link" and not links:
            call = no_links

        def counted(*args: Any, call: Any = call, **named: Any) -> Any:
            if next(count) == die_at:
                os._exit(DIED)
            return call(*args, **named)

        setattr(os, name, counted)


def no_links(*_: Any) -> None:
    """As a file system says that has none."""
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def standing(folder: Path) -> str:
    """What a reader finds: old, new, nothing (no manifest), or what is wrong."""
    there = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
    if lost := [name for name, content in BYSTANDERS.items() if there.pop(name, None) != content]:
        return f"lost {lost}"
    if "x.run.json" not in there:
        return "nothing"
    manifest = read_manifest(folder / "x.run.json")
    states = [state_of(folder / entry.path, entry).state for entry in manifest.outputs]
    names = {"x.run.json", *(entry.path for entry in manifest.outputs)}
    if set(states) != {"ok"} or names != set(there):
        return f"broken: {sorted(there)}, {states}"
    return "new" if there["x.csv"] == NEW[".csv"] else "old"


def after_next(folder: Path, *, links: bool) -> str:
    """What stands there when the next opening is done."""
    if code := in_child(lambda: recover(folder), links=links):
        return f"recovery ended with {code}"
    left = [path.name for path in folder.iterdir() if path.is_dir()]
    if left:
        return f"left over: {left}"
    if standing(folder) == "nothing":
        names = {path.name for path in folder.iterdir()} - set(BYSTANDERS)
        return f"files without a manifest: {sorted(names)}" if names else "nothing"
    return standing(folder)


def copied(source: Path, to: Path) -> Path:
    """A fresh copy, in which two names of one file are two names of one file."""
    first: dict[int, str] = {}

    def copy(file: str, copy_of_it: str) -> None:
        number = Path(file).stat().st_ino
        if number in first:
            os.link(first[number], copy_of_it)
        else:
            first[number] = shutil.copy2(file, copy_of_it)

    shutil.rmtree(to, ignore_errors=True)
    return Path(shutil.copytree(source, to, copy_function=copy))


def main(base: Path, scenario: str) -> None:
    """Die before every call of a commit, and before every call of the opening after it."""
    force, links = scenario == "force", scenario != "no links"
    start = base / "start"
    start.mkdir()
    for name, content in BYSTANDERS.items():
        (start / name).write_text(content)
    if force:
        earlier_run(start)
    for die_at in itertools.count():
        dead = copied(start, base / "dead")
        code = in_child(lambda: commit(dead, force=force), die_at, links=links)  # noqa: B023  called at once
        then, twice = standing(dead), set()
        # A third of them each time: together they meet every call in every state.
        for again in itertools.count(die_at % 3, 3):
            opened = copied(dead, base / "opened")
            if in_child(lambda: recover(opened), again, links=links) != DIED:  # noqa: B023  called at once
                break
            twice.add(after_next(opened, links=links))
        after = after_next(dead, links=links)
        print(json.dumps({"code": code, "then": then, "after": after, "twice": sorted(twice)}), flush=True)
        if code != DIED:
            break


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
