"""What a run writes: tracks as bedGraph, CSV and bigWig, tables of hits and regions, all staged until complete."""

from pgf_cli.tracks.background import BackgroundWriter
from pgf_cli.tracks.bedgraph import BedGraphWriter, TrackLine
from pgf_cli.tracks.bigwig import BigWigWriter, MissingBigWigError, UnwritableBigWigError, check_bigwig
from pgf_cli.tracks.chrom_sizes import write_chrom_sizes
from pgf_cli.tracks.csv_table import CsvWriter
from pgf_cli.tracks.estimates import Span, TrackFormat, estimated_bytes, readable_bytes
from pgf_cli.tracks.gathering import GATHERED_BASES, gathered
from pgf_cli.tracks.hit_files import HitsFileError, read_hits_tsv, write_hits_bed, write_hits_tsv
from pgf_cli.tracks.npz import write_npz
from pgf_cli.tracks.regions_table import RegionRow, write_regions_table
from pgf_cli.tracks.spool import TrackSpool
from pgf_cli.tracks.staging import DiskSpaceError, OutputExistsError, OutputFolderError, StagedFiles, check_outputs
from pgf_cli.tracks.tabix import MissingPysamError, TabixIndex, check_tabix, needs_csi
from pgf_cli.tracks.textfile import WriteError
from pgf_cli.tracks.tile import NonFiniteScoreError, ScoredTile, TrackWriter, finishing
from pgf_cli.tracks.trace_table import TraceFileError, TraceRow, read_trace_table, write_trace_table

__all__ = [
    "ScoredTile",
    "TrackWriter",
    "finishing",
    "gathered",
    "GATHERED_BASES",
    "BackgroundWriter",
    "NonFiniteScoreError",
    "BedGraphWriter",
    "TrackLine",
    "CsvWriter",
    "BigWigWriter",
    "check_bigwig",
    "MissingBigWigError",
    "UnwritableBigWigError",
    "TabixIndex",
    "check_tabix",
    "needs_csi",
    "MissingPysamError",
    "write_npz",
    "write_chrom_sizes",
    "write_hits_bed",
    "write_hits_tsv",
    "read_hits_tsv",
    "HitsFileError",
    "RegionRow",
    "write_regions_table",
    "TrackSpool",
    "TraceRow",
    "write_trace_table",
    "read_trace_table",
    "TraceFileError",
    "StagedFiles",
    "check_outputs",
    "OutputExistsError",
    "OutputFolderError",
    "DiskSpaceError",
    "WriteError",
    "Span",
    "TrackFormat",
    "estimated_bytes",
    "readable_bytes",
]
