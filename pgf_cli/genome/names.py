"""Names that come from outside: how they are shown, and where they would be taken for something else."""

import re
from collections.abc import Iterable

LONGEST_NAME = 1024
"""Bytes of a record's name."""

_QUOTED = 60
# tabix, bedtools, the UCSC browser and our own BED reader between them; bedtools goes by the beginning, in either case.
_COMMENT = re.compile(r"[#>!]|(track|browser|visibility)", re.IGNORECASE)
_NOT_IN_FILE_NAMES = re.compile(r"[^\w.+-]")


def printable(text: str) -> str:
    """Return a text with everything that a terminal might act on, or cannot show, as a backslash escape."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def quoted(text: str) -> str:
    """Return a text from outside for a message: in quotes, escaped, and cut short where it is long."""
    if len(text) <= _QUOTED:
        return repr(text)
    return f"{text[:_QUOTED]!r}... ({len(text):,} characters)"


def reads_as_comment(name: str) -> bool:
    """Whether programs take lines that begin with this record's name for comments or headers, and skip them.

    That is so for BED, bedGraph and other tables in which the record's name comes first.

    Source: `isHeaderLine` of bedtools (`#`, `!`, `>`, track, browser, visibility), tabix(1) (`#`), the UCSC browser's
    custom tracks (`#`, track, browser).
    """
    return _COMMENT.match(name) is not None


def names_read_as_comments(names: Iterable[str]) -> list[str]:
    """Return those of the records' names for which `reads_as_comment` holds, in their order."""
    return [name for name in names if reads_as_comment(name)]


def in_file_name(text: str) -> str:
    """Return a text with every character that is no letter, digit, `_`, `.`, `+` or `-` as `_`.

    Different texts may become one: whoever names files so has to check that.
    """
    return _NOT_IN_FILE_NAMES.sub("_", text)
