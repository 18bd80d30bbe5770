"""Processor quotas read from files as the kernel writes them, for both versions of control groups."""

import pytest

from pgf_cli.core import threads
from pgf_cli.core.cpu_quota import cpu_quota


@pytest.fixture
def machine(tmp_path):
    """Lay out a process's files in /proc and its control groups' below a mount point; return the quota found."""

    def quota(cgroup, mounts, files):
        (tmp_path / "cgroup").write_text(cgroup)
        (tmp_path / "mountinfo").write_text(mounts.replace("AT", str(tmp_path)))
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return cpu_quota(tmp_path)

    return quota


V2 = "30 23 0:26 / AT/v2 rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "31 23 0:27 / AT/sys rw - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:28 {root} AT/v1 rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:29 / AT/memory rw,nosuid - cgroup cgroup rw,memory\n"
)


def v1_files(folder, quota, period=100_000):
    return {f"v1{folder}/cpu.cfs_quota_us": f"{quota}\n", f"v1{folder}/cpu.cfs_period_us": f"{period}\n"}


def test_version_2_the_smallest_quota_on_the_way_up_counts(machine):
    files = {
        "v2/cpu.max": "max 100000\n",
        "v2/slurm/cpu.max": "150000 100000\n",
        "v2/slurm/job/cpu.max": "800000 100000\n",
        "v2/elsewhere/cpu.max": "10000 100000\n",
    }
    assert machine("0::/slurm/job\n", V2, files) == 1.5


def test_version_2_in_a_container_that_sees_its_own_group_as_the_root(machine):
    assert machine("0::/\n", V2, {"v2/cpu.max": "50000 100000\n"}) == 0.5


def test_version_1_the_smallest_quota_on_the_way_up_counts(machine):
    files = v1_files("", -1) | v1_files("/a", 250_000) | v1_files("/a/b", -1) | v1_files("/c", 1_000)
    assert machine("5:memory:/a/b\n3:cpu,cpuacct:/a/b\n0::/\n", V1.format(root="/"), files) == 2.5


def test_version_1_in_a_container_whose_mount_begins_at_its_own_group(machine):
    files = v1_files("", 300_000)
    assert machine("3:cpu,cpuacct:/docker/abc\n", V1.format(root="/docker/abc"), files) == 3
    assert machine("3:cpu,cpuacct:/\n", V1.format(root="/docker/abc"), files) == 3


def test_both_versions_mounted_together(machine):
    mounts = V1.format(root="/") + V2
    files = v1_files("/job", 400_000) | {"v2/job/cpu.max": "200000 100000\n"}
    assert machine("3:cpu,cpuacct:/job\n0::/job\n", mounts, files) == 2


def test_a_blank_in_the_mount_point_is_read(machine):
    assert machine("0::/\n", V2.replace("AT/v2", r"AT/v\0402"), {"v 2/cpu.max": "100000 100000\n"}) == 1


@pytest.mark.parametrize("text", ["max 100000\n", "", "nonsense"])
def test_no_quota(machine, text):
    assert machine("0::/a\n", V2, {"v2/a/cpu.max": text}) is None


def test_no_control_groups_at_all(tmp_path):
    assert cpu_quota(tmp_path / "not Linux") is None


@pytest.mark.parametrize(
    ("allowed", "quota", "threads_by_default"), [(8, 2.5, 3), (8, 0.01, 1), (8, None, 8), (2, 16.0, 2)]
)
def test_threads_by_default_are_as_many_as_affinity_and_quota_allow(allowed, quota, threads_by_default, monkeypatch):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(allowed)))
    monkeypatch.setattr(threads, "cpu_quota", lambda: quota)
    assert threads.available_threads() == threads_by_default
