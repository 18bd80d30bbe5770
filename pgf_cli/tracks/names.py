"""Names from outside, in files that others read."""

import unicodedata
from collections.abc import Iterable

from pgf_cli.errors import PgfError

_COMMENT_WORDS = ("track", "browser")
_FORMULA_SIGNS = ("=", "+", "-", "@")
# Control characters, halves of a surrogate pair, and the separators of lines and paragraphs.
_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")


class RecordNameError(PgfError, ValueError):
    """A record's name cannot stand in a file of this format."""


def reads_as_comment(name: str) -> bool:
    """Say whether a BED or bedGraph line of a record of this name is no data to other tools.

    Tabix and bedtools skip lines that begin with `#`; UCSC's tools those whose first word is `track` or `browser`, and
    IGV and htsjdk those that begin with these letters, whatever follows.

    Source: UCSC Genome Browser, "BED format" and "Custom tracks"; htsjdk, BEDCodec.
    """
    return name.startswith(("#", *_COMMENT_WORDS))


def check_no_comments(names: Iterable[str], track_format: str) -> None:
    """See that no record's lines are comments to other tools.

    Raises:
        RecordNameError: one has such a name.
    """
    for name in names:
        if reads_as_comment(name):
            raise RecordNameError(
                f"lines of record {shown(name)} would be comments to tabix, IGV, bedtools or UCSC, which skip what "
                f"begins with #, track or browser, and the record be lost in {track_format}: rename it in the FASTA, "
                "or use --format csv, bigwig or npz instead"
            )


def check_no_formulas(names: Iterable[str]) -> None:
    """See that no record's name is a formula to a spreadsheet that opens a CSV.

    Raises:
        RecordNameError: one has such a name.

    Source: OWASP, "CSV Injection".
    """
    for name in names:
        if name.startswith(_FORMULA_SIGNS):
            raise RecordNameError(
                f"the name of record {shown(name)} begins with {name[0]}, and a spreadsheet that opens the CSV would "
                "compute it as a formula: rename it in the FASTA, or use another --format"
            )


def check_printable(names: Iterable[str]) -> None:
    """See that names have no control characters, which would break lines, end strings early or reach a terminal.

    Raises:
        RecordNameError: one has.
    """
    for name in names:
        if shown(name) != name:
            raise RecordNameError(
                f"record {shown(name)} has a control character in its name, which no track file can hold; rename it "
                "in the FASTA"
            )


def shown(text: str) -> str:
    r"""Return text with control characters, tabs and line ends as escapes such as `\x1b`, `\t`, `\n`."""
    if text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in _UNPRINTABLE else char for char in text
    )
