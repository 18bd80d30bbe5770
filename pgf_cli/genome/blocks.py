"""Bases read in blocks, for sweeps that ask for a few hundred at a time."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pgf_cli.core.bases import BaseSequence
from pgf_cli.genome.errors import GenomeError

BLOCK_BASES = 1 << 16
# A tile may lie across two blocks, and looking at a hit or at the base after the tile needs another.
KEPT_BLOCKS = 4


class InBlocks:
    """The same bases, read 65,536 at a time: for a file, one read instead of a hundred, in either direction.

    What a slice gives is shared with later ones: do not write into it. Errors are those of the slice alone.
    """

    def __init__(self, bases: BaseSequence) -> None:
        self._bases = bases
        self._block = lru_cache(KEPT_BLOCKS)(self._read)

    def __len__(self) -> int:
        return len(self._bases)

    def __getitem__(self, positions: slice) -> NDArray[np.uint8]:
        start, end, _ = positions.indices(len(self))
        if end <= start:
            return self._bases[start:start]
        first, last = start // BLOCK_BASES, (end - 1) // BLOCK_BASES
        try:
            blocks = [self._block(index) for index in range(first, last + 1)]
        except GenomeError:
            # The wrong letter may stand elsewhere in the block, where nobody looks.
            return self._bases[start:end]
        bases = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        return bases[start - first * BLOCK_BASES : end - first * BLOCK_BASES]

    def _read(self, index: int) -> NDArray[np.uint8]:
        return self._bases[index * BLOCK_BASES : (index + 1) * BLOCK_BASES]
