"""A few of each; ``python tests/crashes --kills 200 --disks 50 --moments 100 --signals`` does many."""

import subprocess
import sys
from pathlib import Path

import pytest

CRASHES = Path(__file__).parent


@pytest.mark.parametrize(
    "asked",
    [
        ("--kills", "20"),
        ("--disks", "10", "--scenes", "3"),
        ("--moments", "4", "--signals", "--scenes", "3"),
    ],
    ids=" ".join,
)
def test_whatever_breaks_a_run_off_it_ends_with_the_same_bytes(asked: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, CRASHES, *asked], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # What it counts is what was asked for, so that nothing passes because nothing was done.
    counts = {line.split(":")[0]: int(line.split()[1].rstrip(",")) for line in done.stdout.splitlines()}
    wanted = {
        "--kills": ("kills", 20),
        "--disks": ("disks", 10),
        "--moments": ("moments", 4 * 3),
        "--signals": ("signals", 6),
    }
    assert all(counts[name] >= count for option, (name, count) in wanted.items() if option in asked)
