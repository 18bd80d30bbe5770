"""A random sequence with the same dinucleotides: the null against which hits are called.

Source: Altschul & Erickson 1985 (a shuffle is a random Eulerian path of the multigraph of dinucleotides); the tree of
last exits is drawn exactly, by weight, from the few that four letters allow.
"""

import hashlib
import itertools
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pgf_cli.core.bases import N_CODE, BaseSequence

SEGMENT = 1 << 20


class Shuffled:
    """A record with its bases shuffled within segments of 2^20, so that no whole chromosome is ever in memory.

    Every N stays where it is. The counts of the 16 dinucleotides are those of the record, exactly, and so is the local
    composition. What stands at a position depends on the seed, the record's name and its bases alone.
    """

    def __init__(self, bases: BaseSequence, contig: str, seed: int) -> None:
        self._bases = bases
        self._key = (seed, int.from_bytes(hashlib.sha256(contig.encode()).digest()[:8]))
        self._segment = lru_cache(maxsize=2)(self._shuffle)

    def __len__(self) -> int:
        return len(self._bases)

    def __getitem__(self, positions: slice) -> NDArray[np.uint8]:
        start, end, _ = positions.indices(len(self))
        if start >= end:
            return np.empty(0, dtype=np.uint8)
        first, last = start // SEGMENT, (end - 1) // SEGMENT
        bases = np.concatenate([self._segment(index) for index in range(first, last + 1)])
        return bases[start - first * SEGMENT : end - first * SEGMENT]

    def _shuffle(self, index: int) -> NDArray[np.uint8]:
        bases = self._bases[index * SEGMENT : (index + 1) * SEGMENT].copy()
        generator = np.random.default_rng((*self._key, index))
        is_base = np.concatenate([[False], bases != N_CODE, [False]])
        edges = np.flatnonzero(np.diff(is_base)).reshape(-1, 2)
        for start, end in edges:
            bases[start:end] = dinucleotide_shuffle(bases[start:end], generator)
        return bases


def dinucleotide_shuffle(bases: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """Draw uniformly from the sequences with the same dinucleotide counts, first and last base.

    Args:
        bases: codes without N, (T,).
        generator: the randomness.
    """
    if len(bases) < 4:
        return bases
    counts = np.zeros((4, 4), dtype=np.int64)
    np.add.at(counts, (bases[:-1], bases[1:]), 1)
    last_exits = _last_exits(counts, int(bases[-1]), generator)
    exits = []
    for base in range(4):
        successors = np.repeat(np.arange(4), counts[base])
        if base in last_exits:
            successors = np.delete(successors, np.flatnonzero(successors == last_exits[base])[0])
        generator.shuffle(successors)
        exits.append(iter([*successors.tolist(), *([last_exits[base]] if base in last_exits else [])]))
    walk = [int(bases[0])]
    for _ in range(len(bases) - 1):
        walk.append(next(exits[walk[-1]]))
    return np.array(walk, dtype=np.uint8)


def _last_exits(counts: NDArray[np.int64], root: int, generator: np.random.Generator) -> dict[int, int]:
    """Draw, for each base but the last one of the sequence, where its last exit leads: a tree towards the root."""
    others = [base for base in range(4) if base != root and counts[base].any()]
    trees, weights = [], []
    for parents in itertools.product(range(4), repeat=len(others)):
        tree = dict(zip(others, parents, strict=True))
        weight = np.prod([float(counts[base, parent]) for base, parent in tree.items()])
        if weight and all(_reaches(base, root, tree) for base in others):
            trees.append(tree)
            weights.append(weight)
    chances = np.array(weights) / np.sum(weights)
    return trees[generator.choice(len(trees), p=chances)]


def _reaches(base: int, root: int, tree: dict[int, int]) -> bool:
    for _ in range(len(tree)):
        base = tree.get(base, base)
    return base == root
