"""What a run asks of its output formats, known before anything is computed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pgf_cli.genome.regions import Region

Span = Region
"""Bases that are written."""


class TrackSpec(NamedTuple):
    """A track to be written.

    Attributes:
        name: as in file names, columns and a tile's values.
        contig: the only record that it is about; None: every record.
        description: quantity and unit, for a browser's track line.
    """

    name: str
    contig: str | None
    description: str


@dataclass(frozen=True, kw_only=True)
class OutputRequest:
    """What is to be written.

    Attributes:
        name: the prefix's own name, without its folder.
        tracks: the run's tracks.
        lengths: bases of every record, in the FASTA's order.
        spans: what is written, in forward coordinates and the FASTA's order.
        regions: the regions that were kept, as they were asked for, in the order of `regions.tsv`.
        dtype: of track values, float32 or float64.
        bgzip: whether text is compressed.
        track_line: whether browsers' track lines are wanted.
        adjoint: whether there is an adjoint sweep.
        suffixes: what the names of each set of tracks end in: nothing, or the strand where each has a set.
    """

    name: str
    tracks: tuple[TrackSpec, ...]
    lengths: Mapping[str, int]
    spans: Sequence[Span]
    regions: Sequence[Span]
    dtype: np.dtype[Any]
    bgzip: bool
    track_line: bool
    adjoint: bool
    suffixes: Sequence[str] = ("",)

    def written_contigs(self) -> list[str]:
        """Names of the records of which something is written, in the FASTA's order."""
        return list(dict.fromkeys(span.contig for span in self.spans))

    def tracks_by_contig(self) -> Counter[str]:
        """How many tracks each written record has."""
        everywhere = sum(track.contig is None for track in self.tracks)
        own = Counter(track.contig for track in self.tracks)
        return Counter({contig: everywhere + own[contig] for contig in self.written_contigs()})
