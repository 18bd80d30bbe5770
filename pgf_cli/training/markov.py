"""Markov models of a genome: what a language model has to beat.

A model of order k gives the next base the probability (n + a) / (n_A + n_C + n_G + n_T + 4 a), n being how often it
followed the same k bases in training and a the pseudocount. Where fewer than k bases are known, at a start or after N,
the model of that lower order speaks. N is neither counted nor predicted.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgf_cli.core.bases import BaseSequence
from pgf_cli.genome import N_CODE, Genome, Region, ReverseComplement, mirror

HIGHEST_ORDER = 12
PSEUDOCOUNTS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
TAIL = 0.05
"""Share of the training bases, the last ones, on which each order's pseudocount is chosen."""

CHUNK = 1 << 20

Codes = NDArray[np.uint8]
Counts = list[NDArray[np.uint32]]
"""By order k: how often each base followed each context, (4^k, 4), contexts as numbers to base 4, oldest base first."""


@dataclass(frozen=True)
class MarkovScore:
    """How well the model of one order predicts."""

    order: int
    pseudocount: float
    bits_per_base: float


class Contexts(NamedTuple):
    """Bases to be counted or predicted, each with what stands before it."""

    keys: NDArray[np.int64]
    """The last ``HIGHEST_ORDER`` bases and then the base itself, as a number to base 4, (n,)."""
    known: NDArray[np.int64]
    """How many of the bases before it are known, from the nearest on, ``HIGHEST_ORDER`` at most, (n,)."""


def compare_orders(
    genome: Genome, training: Sequence[Region], scored: Sequence[Codes], *, both_strands: bool
) -> list[MarkovScore]:
    """Fit the orders 1 to 12 and score sequences with them, in some 800 MB.

    Each order's pseudocount is the one of ``PSEUDOCOUNTS`` that predicts the tail of the training bases best when only
    the rest was counted; then all of them are counted.

    Args:
        genome: what the training bases are read from.
        training: the stretches to count in.
        scored: sequences to predict, base codes (L,); the first base of each has no prediction.
        both_strands: whether to count on the other strand too.
    """
    body, tail = split_tail(training, TAIL)
    counts = fit(pieces(genome, body, both_strands=both_strands))
    trials = score(counts, pieces(genome, tail, both_strands=both_strands), [PSEUDOCOUNTS] * (HIGHEST_ORDER + 1))
    best = [PSEUDOCOUNTS[int(np.argmin(row))] for row in trials]
    del counts
    counts = fit(pieces(genome, training, both_strands=both_strands))
    bits = score(counts, _cut(scored), [(pseudocount,) for pseudocount in best])
    return [MarkovScore(order, best[order], float(bits[order][0])) for order in range(1, HIGHEST_ORDER + 1)]


def fit(sequences: Iterable[tuple[Codes, int]]) -> Counts:
    """Count what follows what, for every order from 0 to ``HIGHEST_ORDER``; arguments as ``pieces`` yields them."""
    counts = [np.zeros(4 ** (order + 1), dtype=np.uint32) for order in range(HIGHEST_ORDER + 1)]
    for codes, overlap in sequences:
        keys, known = contexts(codes, overlap)
        for order in np.unique(known).tolist():
            here = keys[known == order] & (4 ** (order + 1) - 1)
            np.add.at(counts[order], here, np.uint32(1))
    # Counted once each, under the longest context known: an order's other counts are in the next one's sums.
    for order in range(HIGHEST_ORDER - 1, -1, -1):
        counts[order] += counts[order + 1].reshape(4, -1).sum(0, dtype=np.uint32)
    return [table.reshape(-1, 4) for table in counts]


def score(
    counts: Counts, sequences: Iterable[tuple[Codes, int]], pseudocounts: Sequence[Sequence[float]]
) -> list[NDArray[np.float64]]:
    """Return the bits per base of every order, (pseudocounts of that order,) each."""
    bits = [np.zeros(len(tried)) for tried in pseudocounts]
    predicted = 0
    for codes, overlap in sequences:
        keys, known = contexts(codes, overlap)
        predicted += len(keys)
        for order, tried in enumerate(pseudocounts):
            seen, total = _look_up(counts, keys, np.minimum(known, order))
            for index, a in enumerate(tried):
                bits[order][index] -= np.log2((seen + a) / (total + 4 * a)).sum()
    return [row / max(predicted, 1) for row in bits]


def contexts(codes: Codes, overlap: int) -> Contexts:
    """Return the contexts of the bases codes[overlap:] that are not N; of a sequence's first base none is known."""
    length = len(codes)
    digits = np.concatenate([np.zeros(HIGHEST_ORDER, np.int64), np.where(codes == N_CODE, 0, codes)])
    keys = np.zeros(length, np.int64)
    for age in range(HIGHEST_ORDER, -1, -1):
        start = HIGHEST_ORDER - age
        keys = keys * 4 + digits[start : start + length]
    at = np.arange(length)
    last_n = np.maximum.accumulate(np.where(codes == N_CODE, at, -1))
    known = np.minimum(at - 1 - np.concatenate([[-1], last_n[:-1]]), HIGHEST_ORDER)
    kept = np.flatnonzero(codes != N_CODE)
    kept = kept[kept >= overlap]
    return Contexts(keys[kept], known[kept])


def pieces(genome: Genome, stretches: Sequence[Region], *, both_strands: bool) -> Iterator[tuple[Codes, int]]:
    """Yield stretches piece by piece, each with how many of its first bases are there as context only.

    The first base of a stretch is counted without context on the forward strand, as its last one is on the other.
    """
    for stretch in stretches:
        record = genome.record(stretch.contig)
        yield from _pieces(record, stretch.start, stretch.end)
        if both_strands:
            yield from _pieces(ReverseComplement(record), *mirror(stretch.start, stretch.end, len(record)))


def split_tail(stretches: Sequence[Region], share: float) -> tuple[list[Region], list[Region]]:
    """Cut stretches in two: the first ones and the last ``share`` of all their bases."""
    left = int((1 - share) * sum(stretch.end - stretch.start for stretch in stretches))
    body, tail = [], []
    for contig, start, end in stretches:
        cut = min(end, start + left)
        left -= cut - start
        body += [Region(contig, start, cut)] if cut > start else []
        tail += [Region(contig, cut, end)] if end > cut else []
    return body, tail


def _pieces(sequence: Codes | BaseSequence, start: int, end: int) -> Iterator[tuple[Codes, int]]:
    for at in range(start, end, CHUNK):
        overlap = min(HIGHEST_ORDER, at - start)
        yield sequence[at - overlap : min(at + CHUNK, end)], overlap


def _cut(sequences: Sequence[Codes]) -> Iterator[tuple[Codes, int]]:
    """Sequences to predict, piece by piece: as context the first base is there, but it is not predicted."""
    for codes in sequences:
        for piece, overlap in _pieces(codes, 0, len(codes)):
            yield piece, max(overlap, 1)


def _look_up(
    counts: Counts, keys: NDArray[np.int64], orders: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How often the base followed its context of that many bases, and how often anything did, (n,) each."""
    seen, total = np.empty(len(keys)), np.empty(len(keys))
    for order in np.unique(orders).tolist():
        which = orders == order
        here = keys[which] & (4 ** (order + 1) - 1)
        rows = counts[order][here >> 2]
        seen[which] = rows[np.arange(len(rows)), here & 3]
        total[which] = rows.sum(1)
    return seen, total
