"""``pgf-sensitivity verify``: are this checkpoint's derivatives exact on this machine?"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgf_cli.cli.exits import ExitStatus
from pgf_cli.cli.options import with_options
from pgf_cli.cli.output import show, show_json
from pgf_cli.core.choices import Dtype, OutputLayer
from pgf_cli.errors import PgfError
from pgf_cli.options import Option

if TYPE_CHECKING:
    from pgf_cli.core.bases import BaseCodes
    from pgf_cli.core.certificate import Certificate
    from pgf_cli.genome import Genome

CHUNK = 1 << 16
MOST_BASES = 1 << 20
"""Of a probe: its differences are taken in float64 and one tile."""


class NothingToProbeError(PgfError, ValueError):
    """Every base of the FASTA is N."""


@with_options
def verify(
    fasta: Annotated[
        Path | None,
        Option(
            positional=True,
            help="FASTA, plain or bgzip-compressed, whose first non-N bases are the probe. Default: random bases.",
        ),
    ] = None,
    bases: Annotated[int, Option(metavar="N", lowest=1, highest=MOST_BASES, help="Bases of the probe.")] = 256,
    *,
    model: Path,
    dtype: Dtype,
    output_layer: OutputLayer | None,
    alphabet: str | None,
    seed: int,
    threads: int | None,
    as_json: bool,
    verbose: bool,
) -> None:
    """Check that a checkpoint's derivatives are exact on this machine; exit 3 if any check fails.

    The adjoint identity <w, J v> = <J^T w, v> compares the two sweeps; central finite differences compare the tangent
    with the model itself; float32 is compared with float64; and tiles with one tile. J is the derivative of the output
    with respect to the one-hot sequence, v points along "more of this sequence, less of a uniform one", w is random.
    Prints a table of the checks with their errors and thresholds; writes no file.
    """
    import torch

    from pgf_cli.checkpoints import read_checkpoint
    from pgf_cli.core.certificate import certify
    from pgf_cli.core.threads import available_threads, set_threads

    set_threads(threads or available_threads())
    read = read_checkpoint(model, alphabet)
    built = read.build(output_layer, getattr(torch, dtype), torch.device("cpu"))
    probe, origin = random_probe(bases, seed) if fasta is None else probe_of(fasta, bases)
    certificate = certify(built, probe, seed=seed)
    if as_json:
        show_json(_as_json(certificate, model, origin, dtype, built.output))
    else:
        from pgf_cli.reports import print_certificate

        title = f"{model} ({read.architecture}): derivative of {built.output}, {dtype} on {built.device}"
        show(lambda console: print_certificate(certificate, title, origin, console))
    if not certificate.passed:
        raise typer.Exit(ExitStatus.CERTIFICATE)


def random_probe(bases: int, seed: int) -> "tuple[BaseCodes, str]":
    """Return random bases (T,) and what to call them."""
    import numpy as np

    codes = np.random.default_rng(seed).integers(0, 4, bases, dtype=np.uint8)
    return codes, f"{bases:,} random bases (seed {seed})"


def probe_of(fasta: Path, bases: int) -> "tuple[BaseCodes, str]":
    """Return the first non-N bases (T,) of a FASTA, all there are if it has fewer, and what to call them.

    Raises:
        NothingToProbeError: it has none.
        GenomeError: it cannot be read.
    """
    from pgf_cli.core.certificate import take_probe
    from pgf_cli.genome import Genome

    with Genome.open(fasta) as genome:
        probe = take_probe(_chunks(genome), bases)
    if not len(probe):
        raise NothingToProbeError(
            f"{fasta}: every base is N, there is nothing to probe; give another FASTA, or none for random bases"
        )
    return probe, f"the first {len(probe):,} non-N bases of {fasta}"


def _chunks(genome: "Genome") -> "Iterator[BaseCodes]":
    for name, length in genome.lengths.items():
        record = genome.record(name)
        for start in range(0, length, CHUNK):
            yield record[start : start + CHUNK]


def _as_json(certificate: "Certificate", checkpoint: Path, origin: str, dtype: Dtype, output: OutputLayer) -> str:
    import json

    return json.dumps(
        {
            "checkpoint": str(checkpoint),
            "output_layer": output,
            "dtype": dtype,
            "probe": origin,
            "probe_bases": certificate.probe_bases,
            "passed": certificate.passed,
            "checks": [
                {
                    "name": check.name,
                    "detail": check.detail,
                    # JSON has no word for NaN and infinity.
                    "error": check.error if math.isfinite(check.error) else None,
                    "threshold": check.threshold,
                    "passed": check.passed,
                }
                for check in certificate.checks
            ],
        },
        indent=2,
    )
