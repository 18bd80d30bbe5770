"""What can be wrong with a genome or a region: each error says where, and what to do."""

from collections.abc import Iterable

from pgf_cli.errors import PgfError, UsageError
from pgf_cli.genome.hints import RecordHints
from pgf_cli.genome.names import quoted


class GenomeError(PgfError):
    """Something about the sequence input that the user can mend."""


class FastaAccessError(GenomeError, OSError):
    """The FASTA or its index cannot be reached: missing, a folder, unreadable, nowhere to write the index."""


class FastaError(GenomeError, ValueError):
    """The file is reached, but its content is not a FASTA that can be read by position."""


class LetterError(GenomeError, ValueError):
    """A sequence holds a letter that stands for no nucleotide."""


class BedError(GenomeError, ValueError):
    """A row of a BED file cannot be read."""


class RegionError(GenomeError, UsageError):
    """A region string cannot be read or lies outside its record, or nothing that was asked for can be kept."""


class ContigNotFoundError(GenomeError, KeyError):
    """A region names a record that the FASTA does not have.

    Args:
        name: the record asked for.
        known: the names that the FASTA has, or the hints made of them where many names are asked for.
        where: what lacks the record, as the message should call it.
    """

    def __init__(self, name: str, known: Iterable[str] | RecordHints, where: str = "the FASTA") -> None:
        hint = (known if isinstance(known, RecordHints) else RecordHints(known)).of(name)
        super().__init__(f"{where} has no record {quoted(name)}" + (f"; {hint}" if hint else ""))
