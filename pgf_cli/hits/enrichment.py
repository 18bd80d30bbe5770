"""Is a track higher at annotated sites than at look-alikes, the same letters elsewhere in the same genes?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgf_cli.errors import PgfError
from pgf_cli.genome import LETTERS, N_CODE, Gene, GeneStrand, ReverseComplement

Values = NDArray[np.floating[Any]]

BEFORE, AFTER = 2, 3
"""Letters beside the motif that a site shares with its look-alikes."""
WITHIN = 0.95
STRANDS: tuple[GeneStrand, ...] = ("+", "-")


class NoSitesError(PgfError, ValueError):
    """No annotated site has a look-alike."""


class Motif(NamedTuple):
    """What annotated sites of a kind begin with."""

    name: str
    letters: str
    sites: Callable[[Gene], tuple[int, ...]]
    """A gene's sites: the 5'-most base of each, in the record's coordinates."""


DONORS = Motif("splice donors", "GT", lambda gene: gene.donors)
STARTS = Motif("start codons", "ATG", lambda gene: gene.starts)


class StrandTracks(NamedTuple):
    """One signed track (L,) of each strand read, both in the record's own coordinates."""

    forward: Values
    reverse: Values


class Standing(NamedTuple):
    """The mean percentile of annotated sites, from 0 to 1, or the difference of two, and what shifted ones have."""

    value: float
    low: float
    high: float
    """The middle 95% of shifts lie from ``low`` to ``high``."""
    p: float
    """Share of shifts, the annotation's own place included, that are as far from no difference or farther."""


@dataclass(frozen=True)
class SiteComparison:
    """What one kind of site shows, with trained weights and with several draws of untrained ones."""

    motif: Motif
    genes: int
    """That have such a site."""
    sites: int
    """Annotated, and compared."""
    lookalikes: int
    other_letters: int
    """Annotated, but beginning with other letters: not compared."""
    unmatched: int
    """Annotated, but without a look-alike: not compared."""
    highest: float
    """Mean percentile if every site were above all its look-alikes."""
    trained: Standing
    untrained: tuple[Standing, ...]
    differences: tuple[Standing, ...]
    """Trained minus each untrained, shift by shift."""


class Occurrences(NamedTuple):
    """Every place of a motif in the genes that have such a site: forward strand, then reverse, each read 5' to 3'."""

    strands: tuple[NDArray[np.intp], NDArray[np.intp]]
    """Positions in the coordinates of the strand that is read."""
    annotated: NDArray[np.bool_]
    """(M,), over both strands."""
    beside: NDArray[np.intp]
    """(M,), a number for the letters beside it: the same number, the same letters."""


def compare_sites(
    motif: Motif,
    record: NDArray[np.uint8],
    genes: Sequence[Gene],
    trained: StrandTracks,
    untrained: Sequence[StrandTracks],
) -> SiteComparison:
    """Compare a track at annotated sites with the same track at look-alikes, on each gene's own strand.

    The value of a place is the track summed over the motif's bases. Look-alikes of a site are the occurrences of the
    motif in genes with such sites that are not annotated and have the same 2 letters before and 3 after: without that,
    even random weights tell many sites apart, by their neighbours. The number is the mean, over sites, of the value's
    percentile among the site and all occurrences with the same neighbours, annotated or not: 0.5 if there is no
    difference.

    For the null, the annotation is shifted around the ring of all occurrences compared, by every number of places. It
    keeps its spacing, so what nearby places have in common does not make the null too narrow; and since a percentile is
    among the same neighbours, a shifted site is matched anew. Nothing is drawn at random.

    Args:
        motif: which sites.
        record: base codes (L,) of the record.
        genes: those of this record.
        trained: the trained model's track.
        untrained: the same track of untrained models.

    Raises:
        NoSitesError: there is nothing to compare.

    Source: ranks among like as in van Elteren 1960; circular shifts of annotation as in regioneR (Gel et al. 2016).
    """
    with_sites = [gene for gene in genes if motif.sites(gene)]
    occurrences = find_occurrences(motif, record, with_sites)
    annotated, beside = occurrences.annotated, occurrences.beside
    compared = np.isin(beside, beside[annotated]) & np.isin(beside, beside[~annotated])
    if not compared.any():
        raise NoSitesError(
            f"{motif.name}: none of {int(annotated.sum()):,} annotated {motif.letters} has a look-alike, the same "
            "letters in the same genes without annotation; give more sequence, or its own annotation"
        )
    # Overlapping genes can share a site.
    places = {(gene.strand, site) for gene in with_sites for site in motif.sites(gene)}

    def means(track: NDArray[np.float64]) -> NDArray[np.float64]:
        return shifted_means(percentiles(track[compared], beside[compared]), annotated[compared])

    one, *others = (means(values_at(motif, occurrences, tracks)) for tracks in (trained, *untrained))
    return SiteComparison(
        motif=motif,
        genes=len(with_sites),
        sites=int((annotated & compared).sum()),
        lookalikes=int((~annotated & compared).sum()),
        other_letters=len(places) - int(annotated.sum()),
        unmatched=int((annotated & ~compared).sum()),
        highest=float(means(annotated.astype(np.float64))[0]),
        trained=_among_shifts(one, 0.5),
        untrained=tuple(_among_shifts(other, 0.5) for other in others),
        differences=tuple(_among_shifts(one - other, 0.0) for other in others),
    )


def find_occurrences(motif: Motif, record: NDArray[np.uint8], genes: Sequence[Gene]) -> Occurrences:
    """Return every place of a motif that lies wholly in one of the genes, on that gene's strand."""
    positions, annotated, beside = [], [], []
    for strand in STRANDS:
        codes = record if strand == "+" else ReverseComplement(record)[:]
        inside, marked = np.zeros((2, len(record)), dtype=bool)
        for gene in genes:
            if gene.strand != strand:
                continue
            start, end = gene.span.start, gene.span.end
            sites = np.array(motif.sites(gene), dtype=np.intp)
            if strand == "-":
                start, end, sites = len(record) - end, len(record) - start, len(record) - 1 - sites
            inside[start : end - len(motif.letters) + 1] = True
            marked[sites] = True
        at = np.flatnonzero(inside & _begins(codes, motif.letters))
        positions.append(at)
        annotated.append(marked[at])
        beside.append(_letters_beside(codes, at, len(motif.letters)))
    return Occurrences((positions[0], positions[1]), np.concatenate(annotated), np.concatenate(beside))


def values_at(motif: Motif, occurrences: Occurrences, tracks: StrandTracks) -> NDArray[np.float64]:
    """Return the track summed over the motif at each occurrence, (M,)."""
    read = (tracks.forward, tracks.reverse[::-1])
    bases = np.arange(len(motif.letters))
    sums = [values[at[:, None] + bases].sum(1) for at, values in zip(occurrences.strands, read, strict=True)]
    return np.concatenate(sums).astype(np.float64)


def percentiles(values: NDArray[np.float64], beside: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return where each value (M,) ranks among those with the same neighbours, from 0 to 1; ties share the middle."""
    ranked = np.empty(len(values))
    for neighbours in np.unique(beside):
        alike = beside == neighbours
        _, which, counts = np.unique(values[alike], return_inverse=True, return_counts=True)
        ranked[alike] = (np.cumsum(counts) - counts / 2)[which] / alike.sum()
    return ranked


def shifted_means(ranked: NDArray[np.float64], annotated: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean (M,) over the annotated places when these are shifted by 0, 1, ... M - 1 around the ring.

    Args:
        ranked, annotated: (M,).
    """
    # All shifts at once: a circular correlation.
    spectrum = np.fft.rfft(ranked) * np.conj(np.fft.rfft(annotated.astype(np.float64)))
    return np.fft.irfft(spectrum, len(ranked)) / int(annotated.sum())


def _begins(codes: NDArray[np.uint8], letters: str) -> NDArray[np.bool_]:
    """Say for each position whether a motif begins there."""
    padded = np.concatenate([codes, np.full(len(letters), N_CODE, dtype=np.uint8)])
    found = np.ones(len(codes), dtype=bool)
    for offset, letter in enumerate(letters):
        found &= padded[offset : offset + len(codes)] == LETTERS.index(letter)
    return found


def _letters_beside(codes: NDArray[np.uint8], at: NDArray[np.intp], width: int) -> NDArray[np.intp]:
    """Number the letters beside motifs of a width; past the ends of the record they are N."""
    padded = np.concatenate([np.full(BEFORE, N_CODE), codes, np.full(AFTER, N_CODE)]).astype(np.intp)
    number = np.zeros(len(at), dtype=np.intp)
    for offset in (*range(BEFORE), *range(BEFORE + width, BEFORE + width + AFTER)):
        number = number * len(LETTERS) + padded[at + offset]
    return number


def _among_shifts(statistics: NDArray[np.float64], no_difference: float) -> Standing:
    far = np.abs(statistics - no_difference)
    # The transform leaves an error in the last bits.
    as_far = int(np.count_nonzero(far >= far[0] - 1e-9))
    low, high = np.quantile(statistics, [(1 - WITHIN) / 2, (1 + WITHIN) / 2])
    return Standing(float(statistics[0]), float(low), float(high), as_far / len(statistics))
