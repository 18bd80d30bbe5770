"""Draw docs/figures/response_and_ghost.png from real runs on the sample data (needs matplotlib).

python docs/figures/response_and_ghost.py
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

HERE = Path(__file__).parent
SAMPLE = HERE.parents[1] / "sample_data"
CONTIG, FIRST, LAST, PULSE = "NC_001133.9", 100_001, 106_000, 101_501


def run(prefix: Path, *options: str) -> None:
    """Run on the sample data, writing the stretch that is drawn."""
    region = f"{CONTIG}:{FIRST}-{LAST}"
    subprocess.run(
        [
            *(sys.executable, "-m", "pgf_cli", "run", str(SAMPLE / "yeast_chrI.fa")),
            *("--model", str(SAMPLE / "mamba_random.safetensors"), "-o", str(prefix), "--region", region, "-q"),
            *options,
        ],
        check=True,
    )


def track(path: Path) -> pd.DataFrame:
    """Read a bedGraph."""
    return pd.read_csv(path, sep="\t", header=None, names=["chrom", "start", "end", "value"])


def main() -> None:
    """Make the runs and the figure."""
    with tempfile.TemporaryDirectory() as folder:
        whole, pulse = Path(folder) / "whole", Path(folder) / "pulse"
        run(whole)
        run(pulse, "--pulse", f"{CONTIG}:{PULSE}")
        tracks = {
            "response, contrast": track(Path(f"{whole}.response.bedgraph")),
            "ghost, contrast": track(Path(f"{whole}.ghost.bedgraph")),
            "response to one pulse": track(Path(f"{pulse}.response.bedgraph")),
        }
        hits = pd.read_csv(f"{whole}.hits.tsv", sep="\t")
    figure, axes = plt.subplots(3, 1, figsize=(9, 6.5), sharex=True, layout="constrained")
    for axis, (name, table), colour in zip(axes, tracks.items(), ("#0072B2", "#D55E00", "#009E73"), strict=True):
        axis.plot(table.start + 1, table.value, color=colour, linewidth=0.5)
        axis.set_ylabel(f"{name}\n(nats per unit step)")
        axis.spines[["top", "right"]].set_visible(False)
    for axis, kind in zip(axes, ("response", "ghost"), strict=False):
        best = hits[hits.track == kind].nlargest(3, "value")
        axis.plot(best.start + 1, best.value, "v", color="black", markersize=5)
    for edge in range(FIRST - 1, LAST + 1, 1000):
        axes[1].axvline(edge, color="0.8", linewidth=0.6, zorder=0)
    axes[2].set_yscale("log")
    axes[2].axvline(PULSE, color="black", linewidth=0.8, linestyle=":")
    axes[2].axvline(PULSE + 1000, color="0.6", linewidth=0.8, linestyle="--")
    axes[2].set_xlabel(f"position on {CONTIG} (1-based)")
    figure.savefig(HERE / "response_and_ghost.png", dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
