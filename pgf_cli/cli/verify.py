"""``pgf-sensitivity verify``: are this checkpoint's derivatives exact on this machine?"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from pgf_cli.cli.exits import ExitStatus
from pgf_cli.cli.options import with_options
from pgf_cli.cli.output import show, show_json
from pgf_cli.core.choices import Dtype, OutputLayer
from pgf_cli.errors import PgfError
from pgf_cli.options import Option

if TYPE_CHECKING:
    from pgf_cli.core.bases import BaseCodes
    from pgf_cli.core.certificate import Certificate, DeepProbe
    from pgf_cli.genome import Genome

CHUNK = 1 << 16
MOST_BASES = 1 << 16
"""Of the first probe, which is swept in one tile and, for finite differences, in plain torch."""


class NothingToProbeError(PgfError, ValueError):
    """Every base of the FASTA is N."""


@with_options
def verify(
    checkpoint: Annotated[Path, Option(positional=True, help="Checkpoint, file or folder, as for `inspect`.")],
    fasta: Annotated[
        Path | None,
        Option(
            positional=True,
            help="FASTA, plain or bgzip-compressed: its first non-N bases are the probe, and others deep inside its "
            "longest record the second. Default: random bases.",
        ),
    ] = None,
    bases: Annotated[int, Option(metavar="N", lowest=1, highest=MOST_BASES, help="Bases of the first probe.")] = 256,
    *,
    model_family: str | None,
    probe_depth: int,
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
    with the model itself; tiles are compared with one tile; and float32 with float64, at the first bases and where the
    state is --probe-depth bases old. J is the derivative of the output with respect to the one-hot sequence, v points
    along "more of this sequence, less of a uniform one", w is random. float32 is judged by kappa: how far J v moves
    when every weight moves by less than float32 can tell apart.

    Prints a table of the checks with their errors and thresholds, and how many digits hold; writes no file.
    """
    import torch

    from pgf_cli.checkpoints import read_checkpoint
    from pgf_cli.core.certificate import certify
    from pgf_cli.core.threads import available_threads, set_threads

    set_threads(threads or available_threads())
    read = read_checkpoint(checkpoint, alphabet, model_family)
    model = read.build(output_layer, getattr(torch, dtype), torch.device("cpu"))
    probes = random_probes(bases, probe_depth, seed) if fasta is None else probes_of(fasta, bases, probe_depth)
    certificate = certify(model, probes.first, deep=probes.deep, seed=seed)
    deep_origin = probes.deep_origin if certificate.deep else ""
    if as_json:
        about = {"checkpoint": str(checkpoint), "output_layer": model.output, "dtype": dtype}
        show_json(_as_json(certificate, about, probes.origin, deep_origin))
    else:
        from pgf_cli.reports import print_certificate

        title = f"{checkpoint} ({read.architecture}): derivative of {model.output}, {dtype} on {model.device}"
        show(lambda console: print_certificate(certificate, title, probes.origin, deep_origin, console))
    if not certificate.passed:
        raise typer.Exit(ExitStatus.CERTIFICATE)


class Probes(NamedTuple):
    """What a certificate is made on, and what to call it."""

    first: "BaseCodes"
    """Base codes (T,) without N."""
    origin: str
    deep: "DeepProbe | None"
    deep_origin: str
    """Empty where there is none."""


def random_probes(bases: int, depth: int, seed: int) -> Probes:
    """Return random bases, the first of them and those that the state of the deep probe comes from the same."""
    import numpy as np

    from pgf_cli.core.certificate import PROBE_BASES, take_deep_probe

    codes = np.random.default_rng(seed).integers(0, 4, max(bases, depth + PROBE_BASES), dtype=np.uint8)
    deep = take_deep_probe(codes, 0, len(codes), depth)
    said = f"{deep.bases} more after {deep.lead:,} of them" if deep else ""
    return Probes(codes[:bases], f"{bases:,} random bases (seed {seed})", deep, said)


def probes_of(fasta: Path, bases: int, depth: int) -> Probes:
    """Return the first non-N bases of a FASTA, all there are if it has fewer, and those deep inside its longest record.

    Raises:
        NothingToProbeError: it has none but N.
        GenomeError: it cannot be read.
    """
    from pgf_cli.core.certificate import take_deep_probe, take_probe
    from pgf_cli.genome import Genome

    with Genome.open(fasta) as genome:
        first = take_probe(_chunks(genome), bases)
        longest = max(genome.names, key=lambda name: genome.lengths[name])
        deep = take_deep_probe(genome.record(longest), 0, genome.lengths[longest], depth)
    if not len(first):
        raise NothingToProbeError(
            f"{fasta}: every base is N, there is nothing to probe; give another FASTA, or none for random bases"
        )
    origin = f"the first {len(first):,} non-N bases of {fasta}"
    return Probes(first, origin, deep, deep.described(longest) if deep else "")


def _chunks(genome: "Genome") -> "Iterator[BaseCodes]":
    for name, length in genome.lengths.items():
        record = genome.record(name)
        for start in range(0, length, CHUNK):
            yield record[start : start + CHUNK]


def _as_json(certificate: "Certificate", about: dict[str, str], origin: str, deep_origin: str) -> str:
    import json

    def finite(number: float) -> float | None:
        # JSON has no word for NaN and infinity.
        return number if math.isfinite(number) else None

    return json.dumps(
        {
            **about,
            "probe": origin,
            "probe_bases": certificate.probe_bases,
            "deep_probe": deep_origin or None,
            "kappa": finite(certificate.kappa),
            "precision": certificate.precision,
            "passed": certificate.passed,
            "checks": [
                {
                    "name": check.name,
                    "detail": check.detail,
                    "error": finite(check.error),
                    "threshold": finite(check.threshold),
                    "passed": check.passed,
                }
                for check in certificate.checks
            ],
        },
        indent=2,
    )
