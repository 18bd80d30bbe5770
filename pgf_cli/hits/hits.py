"""One hit of a track, with everything that is said of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A local maximum of a track; the fields and their order are the columns of `hits.tsv`.

    Attributes:
        chrom: record of the FASTA.
        start, end: the base, 0-based half-open, so end = start + 1.
        name: what the hit is called in `hits.bed` and the report.
        track: name of the track it was called on.
        value: the track there, in the track's unit.
        percentile: share of the record's scored bases below it, 0 to 100.
        robust_z: (value - median) / (1.4826 MAD); None where MAD is 0.
        fdr: empirical false discovery rate, 0 to 1; None without a null.
        pulse: name of the nearest pulse at or before; None outside pulse runs.
        lag, half_life, reach: bases, see the design of pulse runs; None outside them.
        flags: what to be wary of, such as an N run beside the hit.
        context: the bases around it, its own included.
        strand: + or - where each strand has hits of its own: the one that was read; else a dot.
    """

    chrom: str
    start: int
    end: int
    name: str
    track: str
    value: float
    percentile: float
    robust_z: float | None = None
    fdr: float | None = None
    pulse: str | None = None
    lag: int | None = None
    half_life: int | None = None
    reach: int | None = None
    flags: tuple[str, ...] = ()
    context: str
    strand: str = "."
