"""Reading the other strand: a record's reverse complement, and the coordinates that go with it."""

import numpy as np
from numpy.typing import NDArray

from pgf_cli.core.bases import LETTERS, N_CODE, BaseSequence

_COMPLEMENT = np.array([3, 2, 1, 0, N_CODE], dtype=np.uint8)


class ReverseComplement:
    """A record's other strand, read 5' to 3'; position p stands for the record's position length - 1 - p."""

    def __init__(self, record: BaseSequence) -> None:
        self._record = record

    def __len__(self) -> int:
        return len(self._record)

    def __getitem__(self, positions: slice) -> NDArray[np.uint8]:
        start, end, _ = positions.indices(len(self))
        forward = self._record[len(self) - max(start, end) : len(self) - start]
        return np.ascontiguousarray(_COMPLEMENT[forward[::-1]])


def complement(letter: str) -> str:
    """Return the base that pairs with A, C, G or T; N with N."""
    return LETTERS[_COMPLEMENT[LETTERS.index(letter)]]


def mirror(start: int, end: int, length: int) -> tuple[int, int]:
    """Return an interval [start, end) in the other strand's coordinates, 0-based half-open in both."""
    return length - end, length - start
