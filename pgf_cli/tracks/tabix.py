"""The index by which tabix, IGV and pysam read a region of a compressed bedGraph."""

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pgf_cli.errors import PgfError
from pgf_cli.tracks.disk import translate_os_errors

_LONGEST_TBI = 2**29


class MissingPysamError(PgfError, ImportError):
    """The optional library that indexes compressed text is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "--bgzip indexes bedGraph with pysam, which is not installed: pip install 'pgf-sensitivity[bgzip]', "
            "or leave out --bgzip."
        )


class TabixIndex(NamedTuple):
    """An index to be written: where, and whether as CSI or as TBI."""

    path: Path
    csi: bool


def check_tabix() -> None:
    """See before computing that an index can be written.

    Raises:
        MissingPysamError: pysam is not installed.
    """
    if importlib.util.find_spec("pysam") is None:
        raise MissingPysamError


def needs_csi(lengths: Iterable[int]) -> bool:
    """Say whether records of these lengths, in bases, are too long for TBI, which ends at 2^29."""
    return max(lengths, default=0) > _LONGEST_TBI


def write_tabix(bedgraph: Path, index: TabixIndex, *, skipped_lines: int) -> None:
    """Index a BGZF-compressed bedGraph.

    Args:
        bedgraph: complete; sorted within each record.
        index: replaced if it is there.
        skipped_lines: lines before the first row.

    Raises:
        WriteError: the index cannot be written.

    Source: SAM/BAM format specification group, "The Tabix index file format" and "Coordinate Sorted Index (CSI)".
    """
    import pysam  # noqa: PLC0415 - an optional extra, imported when used

    said = pysam.set_verbosity(0)
    try:
        with translate_os_errors(index.path):
            pysam.tabix_index(
                str(bedgraph), force=True, seq_col=0, start_col=1, end_col=2, zerobased=True,
                line_skip=skipped_lines, csi=index.csi, index=str(index.path),
            )  # fmt: skip
    finally:
        pysam.set_verbosity(said)
