"""The runs that are broken off: a small genome, and what is asked of it, by mode, segment length and format."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

MODEL = Path(__file__).parents[2] / "sample_data" / "mamba_arabidopsis.safetensors"
RECORDS = {"chr1": 1800, "chr2": 700, "chr3": 250, "chr4": 150}
PREFIX = "run"


class Scene(NamedTuple):
    """A run, and where it replaces an older one, what that was."""

    name: str
    options: tuple[str, ...]
    older: tuple[str, ...] | None = None
    """Options of the run whose outputs stand there already."""

    def arguments(self, fasta: Path, *, resume: bool = False) -> list[str]:
        """The command line, in the folder where the outputs go."""
        force = ["--force"] if self.older is not None else []
        return [*_command(fasta, self.options), *force, *(["--resume"] if resume else [])]

    def older_arguments(self, fasta: Path) -> list[str]:
        """That of the older run."""
        return _command(fasta, self.older or ())


def _command(fasta: Path, options: Sequence[str]) -> list[str]:
    # Of the certificate's two probes the second takes as long as the run.
    shorter = ("--probe-depth", "0", "--quiet")
    fixed = ("--model", str(MODEL), "--output", PREFIX, "--tile", "100", "--threads", "1", *shorter)
    return ["run", str(fasta), *fixed, *options]


def _formats(*names: str) -> tuple[str, ...]:
    return tuple(word for name in names for word in ("--format", name))


_OLDER = ("--mode", "tangent", "--ghost-distance", "100", *_formats("bedgraph", "bigwig"))

SCENES = (
    Scene("both, text and binary", ("--segment", "300", *_formats("bedgraph", "csv", "bigwig"))),
    Scene("adjoint over an older run", ("--mode", "adjoint", "--segment", "500", *_formats("bedgraph", "csv")), _OLDER),
    Scene("tangent with traces", ("--mode", "tangent", "--segment", "700", "--trace", "2", *_formats("csv"))),
    Scene("both, compressed", ("--segment", "450", "--bgzip", *_formats("bedgraph", "csv"))),
    Scene("tangent over an older run", ("--mode", "tangent", "--segment", "200", *_formats("bigwig", "csv")), _OLDER),
    Scene(
        "adjoint, arrays of regions",
        (
            *("--mode", "adjoint", "--segment", "250", "--region", "chr1:301-600", "--region", "chr2:201-500"),
            *_formats("npz"),
        ),
    ),
    Scene("both, one segment, over an older run", _formats("bedgraph", "bigwig"), _OLDER),
    Scene(
        "both on the other strand, with a null",
        ("--segment", "600", "--strand", "reverse", "--null", "shuffle", *_formats("csv")),
    ),
    Scene(
        "tangent, a track a pulse",
        (
            *("--mode", "tangent", "--segment", "400", "--pulse", "chr1:200", "--pulse", "chr2:100", "--separate"),
            *_formats("bedgraph", "bigwig"),
        ),
    ),
)


def write_fasta(path: Path) -> Path:
    """Write the genome: random bases, a run of N in each record."""
    generator = np.random.default_rng(0)
    with path.open("w") as file:
        for name, length in RECORDS.items():
            letters = generator.choice(list("ACGT"), length)
            letters[length // 3 : length // 3 + 20] = "N"
            file.write(f">{name}\n{''.join(letters)}\n")
    return path
