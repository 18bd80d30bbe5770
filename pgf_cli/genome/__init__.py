"""Sequence input: FASTA files, their alphabet, and the regions of them that a run reads; their annotation."""

from pgf_cli.core.bases import LETTERS, N_CODE
from pgf_cli.genome.alphabet import BaseCounts, count, decode, encode
from pgf_cli.genome.annotation import AnnotationError, Gene, GeneStrand, read_genes
from pgf_cli.genome.bed import RequestedRegion, read_bed
from pgf_cli.genome.blocks import InBlocks
from pgf_cli.genome.errors import (
    BedError,
    ContigNotFoundError,
    FastaAccessError,
    FastaError,
    GenomeError,
    LetterError,
    RegionError,
)
from pgf_cli.genome.fasta import Genome, Record
from pgf_cli.genome.oriented import OrientedRecord
from pgf_cli.genome.passes import Reading, ReadPass, RecordPasses
from pgf_cli.genome.pulse_sites import PulseSite, parse_pulse, read_pulses
from pgf_cli.genome.record_slice import RecordSlice
from pgf_cli.genome.regions import Region, parse_region
from pgf_cli.genome.selection import Selection, select
from pgf_cli.genome.shuffle import Shuffled
from pgf_cli.genome.strand import ReverseComplement, complement, mirror

__all__ = [
    "Genome",
    "Record",
    "RecordSlice",
    "InBlocks",
    "OrientedRecord",
    "LETTERS",
    "N_CODE",
    "BaseCounts",
    "encode",
    "decode",
    "count",
    "Region",
    "parse_region",
    "RequestedRegion",
    "read_bed",
    "Selection",
    "Reading",
    "ReadPass",
    "RecordPasses",
    "select",
    "PulseSite",
    "parse_pulse",
    "read_pulses",
    "ReverseComplement",
    "complement",
    "mirror",
    "Shuffled",
    "Gene",
    "GeneStrand",
    "read_genes",
    "GenomeError",
    "FastaAccessError",
    "FastaError",
    "LetterError",
    "ContigNotFoundError",
    "RegionError",
    "BedError",
    "AnnotationError",
]
