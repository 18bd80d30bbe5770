"""``python tests/memory``: what a run holds at most, for a record's first half million bases and for all of it.

It takes minutes, so no test does it. The difference should be some 16 MB at most. With ``--records`` also for so many
short records: what each keeps in memory and takes in the manifest.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

SAMPLE = Path(__file__).parents[2] / "sample_data" / "mamba_arabidopsis.safetensors"
LINE = 80
RECORD_BASES = 60


class Measured(NamedTuple):
    """A run."""

    peak_bytes: int
    cpu_seconds: float
    manifest_bytes: int


def main() -> None:
    """Measure what is asked for and print it."""
    asked = _arguments()
    with tempfile.TemporaryDirectory(prefix="memory-") as root:
        folder = Path(root)
        for mode in asked.modes:
            runs = [(bases, _measured(folder, {"record": bases}, mode, asked.model)) for bases in asked.bases]
            for bases, run in runs:
                print(f"{mode}, {bases:,} bases: at most {run.peak_bytes / 1e6:.1f} MB, {run.cpu_seconds:.0f} s")
            runs = [(count, _measured(folder, _many(count), mode, asked.model)) for count in asked.records]
            for (few, before), (many, after) in itertools.pairwise(runs):
                kept = (after.peak_bytes - before.peak_bytes) / (many - few)
                written = (after.manifest_bytes - before.manifest_bytes) / (many - few)
                print(f"{mode}, {few:,} to {many:,} records: each keeps {kept:,.0f} bytes and writes {written:,.0f}")


def _measured(folder: Path, records: dict[str, int], mode: str, model: Path) -> Measured:
    fasta, prefix = folder / "genome.fa", folder / "run"
    _write_fasta(fasta, records)
    command: list[str | Path] = [sys.executable, "-m", "pgf_cli", "run", fasta, "--model", model, "--mode", mode]
    # bedGraph: of each bigWig, its library holds some 40 MB once that is long enough.
    run = subprocess.Popen([*command, "--output", prefix, "--threads", "1", "--force", "--quiet"])
    _, status, used = os.wait4(run.pid, 0)
    if status:
        raise SystemExit(f"the run failed with status {os.waitstatus_to_exitcode(status)}")
    peak = used.ru_maxrss if sys.platform == "darwin" else used.ru_maxrss * 1024
    return Measured(peak, used.ru_utime + used.ru_stime, (folder / "run.run.json").stat().st_size)


def _many(count: int) -> dict[str, int]:
    return {f"scaffold_{number:06d}": RECORD_BASES for number in range(count)}


def _write_fasta(path: Path, records: dict[str, int]) -> None:
    generator = np.random.default_rng(0)
    with path.open("wb") as file:
        for name, bases in records.items():
            letters = np.frombuffer(b"ACGT", dtype=np.uint8)[generator.integers(0, 4, bases)].tobytes()
            lines = [letters[at : at + LINE] for at in range(0, bases, LINE)]
            file.write(b">%s\n%s\n" % (name.encode(), b"\n".join(lines)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/memory", description=__doc__)
    parser.add_argument("--bases", type=int, nargs="*", default=[500_000, 4_600_000])
    parser.add_argument("--records", type=int, nargs="*", default=[])
    parser.add_argument("--modes", nargs="*", default=["tangent", "both"])
    parser.add_argument("--model", type=Path, default=SAMPLE)
    return parser.parse_args()


if __name__ == "__main__":
    main()
