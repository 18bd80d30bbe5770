"""How much processor time Linux grants this process, by the quotas of the control groups that it is in.

A container's or a batch job's limit (``docker --cpus``, Kubernetes, Nextflow) is a quota, which the processor affinity
does not show: a process with more threads than that is stopped for part of each period. Files and their formats:
control groups in cgroups(7), version 1 also in the kernel's ``scheduler/sched-bwc``, version 2 in its ``cgroup-v2``;
``mountinfo`` in proc(5).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROCESS = Path("/proc/self")


class _Mount(NamedTuple):
    """A hierarchy of control groups in the file system."""

    root: Path
    """The control group that is seen at ``point``; in a container often not the topmost."""
    point: Path
    is_version_2: bool


def cpu_quota(process: Path = PROCESS) -> float | None:
    """Return the processors that the smallest quota on the way up from this process's group allows; None if any.

    Args:
        process: the process's folder in /proc.
    """
    try:
        groups = _groups((process / "cgroup").read_text(errors="surrogateescape"))
        mounts = list(_mounts((process / "mountinfo").read_text(errors="surrogateescape")))
    except OSError:
        return None
    quotas = []
    for mount in mounts:
        group = groups.get(mount.is_version_2)
        for folder in _way_up(mount, group) if group is not None else ():
            quota = _quota_v2(folder) if mount.is_version_2 else _quota_v1(folder)
            quotas += [quota] if quota is not None else []
    return min(quotas, default=None)


def _groups(text: str) -> dict[bool, Path]:
    """The process's groups in the hierarchies that can limit processors; True: that of version 2."""
    groups = {}
    for line in text.splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" or "cpu" in controllers.split(","):
            groups[number == "0"] = Path(path)
    return groups


def _mounts(text: str) -> Iterator[_Mount]:
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        _, _, _, root, point, *_ = before.split(" ")
        kind, _, options = after.split(" ", 2)
        if kind == "cgroup2" or (kind == "cgroup" and "cpu" in options.split(",")):
            yield _Mount(_unescaped(root), _unescaped(point), kind == "cgroup2")


def _unescaped(path: str) -> Path:
    """A path of ``mountinfo``, where blanks and the like are octal numbers."""
    return Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), path))


def _way_up(mount: _Mount, group: Path) -> Iterator[Path]:
    """The folders of a group and of those that it lies in, as far as they can be seen."""
    # A group that lies outside what is mounted is named by the host's view: what is mounted is then the group itself.
    inside = group.relative_to(mount.root) if group.is_relative_to(mount.root) else Path()
    if ".." in inside.parts:
        inside = Path()
    yield mount.point / inside
    for parent in inside.parents:
        yield mount.point / parent


def _quota_v1(folder: Path) -> float | None:
    quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    return quota / period if quota and period and quota > 0 else None


def _quota_v2(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
