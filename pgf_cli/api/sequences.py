"""What a caller may give as a sequence: letters, base codes, or bases of a FASTA."""

import os
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pgf_cli.api.arguments import speaking_of_arguments
from pgf_cli.core.bases import N_CODE, BaseCodes
from pgf_cli.errors import UsageError
from pgf_cli.genome import Genome, encode


@runtime_checkable
class BasesOfRecord(Protocol):
    """Bases of a record of a FASTA: ``genome["chr1"]`` or a slice of it."""

    name: str
    start: int

    @property
    def codes(self) -> BaseCodes:
        """Base codes (L,)."""
        ...


Sequence = str | NDArray[np.integer] | BasesOfRecord


class NamedCodes(NamedTuple):
    """A sequence as sweeps take it."""

    name: str
    start: int
    """0-based position of its first base in what it is named after."""
    codes: BaseCodes
    """(L,), A = 0, C = 1, G = 2, T = 3, N = 4."""


def named_codes(sequence: Sequence) -> NamedCodes:
    """Return what was given as base codes.

    Raises:
        LetterError: a letter is no nucleotide; its position is named.
        UsageError: there are no bases, or it is none of the kinds.
    """
    if isinstance(sequence, str):
        named = NamedCodes("sequence", 0, encode(sequence.encode("utf-8", "surrogateescape")))
    elif isinstance(sequence, np.ndarray):
        named = NamedCodes("sequence", 0, _checked(sequence))
    elif isinstance(sequence, BasesOfRecord):
        named = NamedCodes(sequence.name, sequence.start, sequence.codes)
    else:
        raise UsageError(
            f"sequence is a {type(sequence).__name__}; give a string of letters, a numpy array of base codes "
            '(A=0, C=1, G=2, T=3, N=4) or bases of a genome, as in genome["chr1"][1000:2000]'
        )
    if not len(named.codes):
        raise UsageError("sequence has no bases; give at least one")
    return named


def _checked(codes: NDArray[np.integer]) -> BaseCodes:
    if codes.ndim != 1 or not np.issubdtype(codes.dtype, np.integer):
        raise UsageError(f"sequence is an array {codes.shape} of {codes.dtype}; base codes are whole numbers (L,)")
    wrong = np.flatnonzero((codes < 0) | (codes > N_CODE))
    if len(wrong):
        raise UsageError(
            f"sequence has the code {codes[wrong[0]]} at {wrong[0]:,} (0-based); base codes are 0 to 4: A, C, G, T, N"
        )
    return codes.astype(np.uint8)


def open_genome(path: str | os.PathLike[str]) -> Genome:
    """Open a FASTA, plain or bgzip-compressed, without reading it; close it, or use it as a context manager.

    ``genome["chr1"]`` is a record, ``genome["chr1"][1000:2000]`` some of its bases (0-based half-open, as Python
    counts), ``genome.names`` and ``genome.lengths`` say what there is.

    Raises:
        PgfError: it cannot be read, or is no FASTA.

    Example:
        >>> import pgf_cli
        >>> with pgf_cli.open_genome(pgf_cli.sample_data() / "human_MT.fa") as genome:
        ...     genome["MT"][0:10].codes
        array([2, 0, 3, 1, 0, 1, 0, 2, 2, 3], dtype=uint8)
    """
    with speaking_of_arguments():
        return Genome.open(Path(path))
