"""Names from outside, in files that others read."""

import unicodedata
from collections.abc import Iterable

from pgf_cli.errors import PgfError

_COMMENT_WORDS = ("track", "browser")
_FORMULA_SIGNS = ("=", "+", "-", "@")
_NAMES_KEPT = 3
# Control characters, halves of a surrogate pair, and the separators of lines and paragraphs.
_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")


class RecordNameError(PgfError, ValueError):
    """A record's name cannot stand in a file of this format."""


class NamesMet:
    """Counts rows on names of some kind and keeps the first three names, so that memory does not grow with them."""

    def __init__(self) -> None:
        self.rows = 0
        self._first: dict[str, None] = {}
        self._more = False

    def add(self, name: str) -> None:
        """Count a row."""
        self.rows += 1
        if name in self._first:
            return
        if len(self._first) < _NAMES_KEPT:
            self._first[name] = None
        else:
            self._more = True

    def __str__(self) -> str:
        """Return the names for a message: `#x, track, #y, ...`."""
        return ", ".join([*map(shown, self._first), *(["..."] if self._more else [])])


def reads_as_comment(name: str) -> bool:
    """Say whether a BED or bedGraph line of a record of this name is no data to other tools.

    Tabix and bedtools skip lines that begin with `#`; UCSC's tools those whose first word is `track` or `browser`, and
    IGV and htsjdk those that begin with these letters, whatever follows.

    Source: UCSC Genome Browser, "BED format" and "Custom tracks"; htsjdk, BEDCodec.
    """
    return name.startswith(("#", *_COMMENT_WORDS))


def reads_as_formula(text: str) -> bool:
    """Say whether a spreadsheet would compute a cell of this text instead of showing it.

    Source: OWASP, "CSV Injection".
    """
    return len(text) > 1 and text.startswith(_FORMULA_SIGNS)


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
                "or use another --format"
            )


def check_no_formulas(names: Iterable[str]) -> None:
    """See that no record's name is a formula to a spreadsheet that opens a CSV.

    Raises:
        RecordNameError: one has such a name.
    """
    for name in names:
        if reads_as_formula(name):
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
