"""What every track writer takes, and what it has to be able to do."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pgf_cli.core.bases import N_CODE
from pgf_cli.errors import PgfError

HYPOTHETICAL = ("hypothetical A", "hypothetical C", "hypothetical G", "hypothetical T")
"""Names of the hypothetical scores among a tile's values: what a base would contribute if it stood there."""


class ScoredTile(NamedTuple):
    """Consecutive bases of one record with their scores.

    Attributes:
        contig: the record's name.
        start: 0-based position of the first base.
        bases: (T,), A=0 C=1 G=2 T=3 N=4. An N has no score, whatever number stands there.
        values: track name -> (T,), in the run's dtype, float32 or float64.
    """

    contig: str
    start: int
    bases: NDArray[np.uint8]
    values: dict[str, NDArray[np.floating[Any]]]

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Which bases have a score, (T,)."""
        return np.not_equal(self.bases, N_CODE)


class TrackWriter(Protocol):
    """Takes tiles in the FASTA's order, by increasing start within a record, with gaps where nothing is written.

    A tile may have more values than the writer writes. A writer is ended once, by `close`, which completes the file,
    or by `discard`, which lets go of an unfinished one.
    """

    def write(self, tile: ScoredTile) -> None:
        """Add a tile; raises NonFiniteScoreError for a NaN or infinite score and WriteError where the disk refuses."""

    def close(self) -> None:
        """Write what is left and complete the file; raises WriteError."""

    def discard(self) -> None:
        """Let go of the file without completing it; raises nothing."""

    def warnings(self) -> list[str]:
        """Return what users should know of the completed file, a line each."""
        return []


class Ended(Protocol):
    """Something that is ended once, by `close` or by `discard`; see TrackWriter."""

    def close(self) -> None:
        """Complete it."""

    def discard(self) -> None:
        """Let go of it."""


@contextmanager
def finishing(writers: Sequence[Ended]) -> Iterator[None]:
    """Close all writers at the end of the block; discard them all if anything fails, closing included."""
    try:
        yield
        for writer in writers:
            writer.close()
    except BaseException:
        for writer in writers:
            writer.discard()
        raise


class NonFiniteScoreError(PgfError, ValueError):
    """A score is NaN or infinite; no track is written with such a number in it."""

    def __init__(self, contig: str, start: int, track: str, value: float) -> None:
        super().__init__(
            f"the {track} at {contig}:{start + 1} is {value}: the model overflows there; try --dtype float64, "
            "and if that fails too, check the checkpoint with `pgf-sensitivity verify`."
        )
