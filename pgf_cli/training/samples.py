"""What a training run reads and in which order: a function of the settings, the seed and the sample's number alone."""

import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgf_cli.genome import N_CODE, Genome, Record, Region, ReverseComplement, mirror, parse_region
from pgf_cli.training.errors import TrainingDataError
from pgf_cli.training.settings import DataSettings

CHUNK = 1 << 20

SHORTEST = 2
"""A stretch of fewer bases has nothing to predict."""


class TrainingBases(NamedTuple):
    """The stretches of a genome that a training run learns from."""

    stretches: tuple[Region, ...]
    """Disjoint, in FASTA order, without long runs of N."""
    checksum: int
    """CRC-32 of the base codes of every record that was looked at."""

    @property
    def bases(self) -> int:
        """How many there are."""
        return sum(stretch.end - stretch.start for stretch in self.stretches)


class Sample(NamedTuple):
    """A piece of a genome, read on one of its strands."""

    region: Region
    reverse: bool

    def read(self, genome: Genome) -> NDArray[np.uint8]:
        """Read its base codes, 5' to 3' on its strand."""
        record = genome.record(self.region.contig)
        if not self.reverse:
            return record[self.region.start : self.region.end]
        start, end = mirror(self.region.start, self.region.end, len(record))
        return ReverseComplement(record)[start:end]


def held_out_regions(genome: Genome, data: DataSettings) -> tuple[Region, ...]:
    """Return the held-out regions; errors as for ``parse_region``."""
    return tuple(parse_region(text, genome.lengths, str(genome.path)) for text in data.held_out)


def training_bases(genome: Genome, data: DataSettings) -> TrainingBases:
    """Find what may be learnt from: the chosen records but for what is held out or excluded, and for long runs of N.

    Reads the chosen records once: a wrong letter is an error now, not in an hour.

    Raises:
        ContigNotFoundError, RegionError: a record or region is not there.
        LetterError: a letter that is no nucleotide.
        TrainingDataError: nothing is left.
    """
    excluded = tuple(parse_region(text, genome.lengths, str(genome.path)) for text in data.exclude)
    barred = excluded + held_out_regions(genome, data)
    records = [genome.record(name) for name in data.chroms or genome.names]
    stretches: list[Region] = []
    checksum = 0
    for record in sorted(records, key=lambda record: genome.names.index(record.name)):
        gaps = [(region.start, region.end) for region in barred if region.contig == record.name]
        runs, checksum = _long_n_runs(record, data.longest_n_run, checksum)
        stretches += _between(record, sorted(gaps + runs))
    if not stretches:
        raise TrainingDataError(f"{genome.path}: nothing is left to train on; exclude less, or raise longest-n-run")
    return TrainingBases(tuple(stretches), checksum)


class Samples:
    """An endless, numbered list of samples that goes through the training bases again and again.

    An epoch cuts every stretch into as many pieces of the sample length as it holds, from an offset of the epoch's own
    within what they leave over, and visits them in random order, each on a random strand where both are asked for. A
    stretch shorter than a sample is a sample.

    Attributes:
        per_epoch: samples of one epoch.
    """

    def __init__(self, stretches: Sequence[Region], data: DataSettings, seed: int) -> None:
        self._stretches, self._length, self._seed = stretches, data.sample_length, seed
        self._both_strands = data.reverse_complements
        counts = [max(1, (stretch.end - stretch.start) // data.sample_length) for stretch in stretches]
        self._first = np.concatenate([[0], np.cumsum(counts)])
        self.per_epoch = int(self._first[-1])
        self._epoch = -1

    def __getitem__(self, number: int) -> Sample:
        epoch, turn = divmod(number, self.per_epoch)
        if epoch != self._epoch:
            self._draw(epoch)
        piece = int(self._order[turn])
        index = int(np.searchsorted(self._first, piece, side="right")) - 1
        contig, start, end = self._stretches[index]
        slack = (end - start) - int(self._first[index + 1] - self._first[index]) * self._length
        offset = int(self._offsets[index] * (slack + 1)) if slack > 0 else 0
        at = start + offset + (piece - int(self._first[index])) * self._length
        region = Region(contig, at, min(end, at + self._length))
        return Sample(region, self._both_strands and bool(self._strands[turn]))

    def _draw(self, epoch: int) -> None:
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((self._seed, epoch))))
        self._order = generator.permutation(self.per_epoch)
        self._offsets = generator.random(len(self._stretches))
        self._strands = generator.integers(0, 2, self.per_epoch)
        self._epoch = epoch


def _long_n_runs(record: Record, longest: int, checksum: int) -> tuple[list[tuple[int, int]], int]:
    """Runs of more than ``longest`` N, [start, end) in order, and the checksum continued over the record."""
    runs: list[tuple[int, int]] = []
    for start, codes in chunks(record):
        checksum = zlib.crc32(codes.tobytes(), checksum)
        edges = np.flatnonzero(np.diff(codes == N_CODE, prepend=False, append=False)) + start
        for first, last in edges.reshape(-1, 2).tolist():
            if runs and runs[-1][1] == first:
                runs[-1] = (runs[-1][0], last)
            else:
                runs.append((first, last))
    return [(first, last) for first, last in runs if last - first > longest], checksum


def chunks(record: Record) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield a record's base codes piece by piece, each with the position of its first base."""
    for start in range(0, len(record), CHUNK):
        yield start, record[start : start + CHUNK]


def _between(record: Record, gaps: Sequence[tuple[int, int]]) -> Iterator[Region]:
    """The stretches of a record that no gap covers; gaps are sorted by their starts and may overlap."""
    at = 0
    for start, end in [*gaps, (len(record), len(record))]:
        if start - at >= SHORTEST:
            yield Region(record.name, at, start)
        at = max(at, end)
