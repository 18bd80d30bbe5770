"""Base codes: one byte a base, the form in which sequence moves between all rooms."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

BaseCodes = NDArray[np.uint8]
"""A = 0, C = 1, G = 2, T = 3, N = 4."""

LETTERS = "ACGTN"
"""Each letter stands at its code."""

N_CODE = LETTERS.index("N")


class BaseSequence(Protocol):
    """Random access to the base codes of one record: an array, or a reader that never holds the whole record."""

    def __len__(self) -> int: ...

    def __getitem__(self, positions: slice, /) -> BaseCodes: ...
