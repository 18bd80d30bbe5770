"""What can be wrong with a genome or a region: each error says where, and what to do."""

import difflib
from collections.abc import Iterable

from pgf_cli.errors import PgfError, UsageError


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
        known: the names that the FASTA has.
        where: what lacks the record, as the message should call it.
    """

    def __init__(self, name: str, known: Iterable[str], where: str = "the FASTA") -> None:
        names = list(known)
        alias = next((other for other in names if _chromosome(other) == _chromosome(name)), None)
        if alias is not None:
            hint = f"it calls that chromosome {alias!r}, and names must match exactly"
        else:
            near = difflib.get_close_matches(name, names, n=3) or names[:3]
            hint = f"nearest names: {', '.join(near)}"
        super().__init__(f"{where} has no record {name!r}; {hint}")


def _chromosome(name: str) -> str:
    """Reduce the spellings of one chromosome ('chr1', 'Chr1', '1'; 'chrM', 'MT') to one."""
    bare = name.lower().removeprefix("chr")
    return "m" if bare == "mt" else bare
