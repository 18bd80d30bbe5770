"""Disks that fill, and writes that are cut short: one line, exit code 1, nothing wrong, and --resume goes on."""

import errno
import functools
import itertools
import os
import random
import resource
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crash_scenes import Scene
from forked_runs import Ended
from left_behind import check_finished, check_one_line, check_unfinished
from stage import Reference, Stage, Steps

CALLS = ("pwrite", "posix_fallocate", "fsync", "replace", "link", "mkdir")
"""What a full disk may refuse, by the functions that this program calls."""
DISK_BYTES = 64 << 20
SAID_BYTES = 2048
"""Enough for everything that a run says."""


def refuse_at_random(stage: Stage, scenes: Sequence[Scene], chance: random.Random) -> Steps:
    """Let a run meet a disk that refuses, and go on when it does not any more."""
    ways = {"a call refused": _refused_call, "files that may not grow": _file_size_limit, "short writes": _short_writes}
    if _can_mount():
        ways["a full tmpfs"] = _full_tmpfs
    for number in itertools.count():
        scene = scenes[number % len(scenes)]
        # Both counts are used up evenly, but not in step.
        name = list(ways)[(number + number // len(scenes)) % len(ways)]
        yield f"{name}, {scene.name}", functools.partial(ways[name], stage, scene, chance)


def _refused_call(stage: Stage, scene: Scene, chance: random.Random) -> int:
    """The n-th call of some kind fails, once."""
    reference = stage.reference(scene)
    folder = stage.folder(reference.older_folder)
    kind, number = chance.choice(CALLS), chance.randrange(40)
    ended = stage.start(scene, folder, prepare=functools.partial(_refuse, kind, number)).wait()
    refused = _check(ended, folder, reference)
    stage.resume(scene, folder)
    stage.clear(folder)
    return refused


def _file_size_limit(stage: Stage, scene: Scene, chance: random.Random) -> int:
    """Every file ends at some size: the write that comes to it is cut short, and the next one refused."""
    reference = stage.reference(scene)
    folder = stage.folder(reference.older_folder)
    # What it says goes to a file, too, and that is read.
    limit = chance.randrange(SAID_BYTES, reference.largest)

    def prepare() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    refused = _check(stage.start(scene, folder, prepare=prepare).wait(), folder, reference)
    stage.resume(scene, folder)
    stage.clear(folder)
    return refused


def _short_writes(stage: Stage, scene: Scene, chance: random.Random) -> int:
    """Every write takes only a part of what it is given: nobody notices."""
    reference = stage.reference(scene)
    folder = stage.folder(reference.older_folder)
    ended = stage.start(scene, folder, prepare=functools.partial(_shorten, chance.random())).wait()
    assert ended.status == 0, f"short writes: {ended.status}, {ended.stderr}"
    check_finished(folder, reference.wanted)
    stage.clear(folder)
    return 1


def _full_tmpfs(stage: Stage, scene: Scene, chance: random.Random) -> int:
    """Somebody else fills the disk while the run goes on, and makes room again."""
    reference = stage.reference(scene)
    with _tmpfs(stage.folder(None)) as disk:
        folder = disk / "run"
        stage.copy(reference.older_folder, folder)
        run = stage.start(scene, folder)
        run.wait_for_writing()
        time.sleep(chance.uniform(0.0, reference.seconds))
        ballast = disk / "ballast"
        with ballast.open("wb") as file:
            _fill(file.fileno(), disk, spare=chance.randrange(reference.largest))
            refused = _check(run.wait(), folder, reference)
            ballast.unlink()
        stage.resume(scene, folder)
    return refused


def _check(ended: Ended, folder: Path, reference: Reference) -> int:
    """See that a run was refused, and how; or that it came to its end all the same."""
    if ended.status == 0:
        check_finished(folder, reference.wanted)
        return 0
    assert ended.status == 1, f"ended with {ended.status}: {ended.stderr}"
    check_one_line(ended.stderr)
    check_unfinished(folder, reference.wanted, reference.older)
    return 1


def _refuse(kind: str, number: int) -> None:
    call, left = getattr(os, kind), [number]

    @functools.wraps(call)
    def refusing(*arguments: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] == -1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return call(*arguments, **options)

    setattr(os, kind, refusing)


def _shorten(share: float) -> None:
    pwrite = os.pwrite

    @functools.wraps(pwrite)
    def shortened(descriptor: int, data: Any, offset: int) -> int:
        view = memoryview(data).cast("B")
        return pwrite(descriptor, view[: max(1, int(share * len(view)))], offset)

    os.pwrite = shortened


def _fill(descriptor: int, disk: Path, spare: int) -> None:
    """Leave ``spare`` bytes of a disk free."""
    size = 0
    while (free := os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - spare) > 0:
        try:
            os.posix_fallocate(descriptor, size, free)
        except OSError:  # the run was faster
            continue
        size += free


def _can_mount() -> bool:
    return os.geteuid() == 0 and os.uname().sysname == "Linux"


@contextmanager
def _tmpfs(folder: Path) -> Iterator[Path]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
