"""Names and numbers that come from outside: how long they may be, and how messages show them."""

import hashlib
import re

LONGEST_NAME = 1024
"""Bytes of a record's name."""
MOST_DIGITS = 18
"""Of a position: no record is longer than that, and Python refuses to read thousands of digits."""

_SHOWN = 60
_NOT_IN_FILE_NAMES = re.compile(r"[^\w.+-]")
_LIKE_HASHED = re.compile(r"-[0-9a-f]{8}\Z")
_LONGEST_IN_FILE_NAMES = 80
"""Bytes: a file's name has 255 at most, and there is more in it."""


def quoted(text: str) -> str:
    """Return a text from outside for a message: in quotes, escaped, and cut short where it is long."""
    if len(text) <= _SHOWN:
        return repr(text)
    return f"{text[:_SHOWN]!r}... ({len(text):,} characters)"


def shortened(name: str) -> str:
    """Return a record's name for a message, cut short where it is long."""
    return name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..."


def read_position(digits: str) -> int:
    """Read a position of decimal digits; commas between them do not count.

    Raises:
        ValueError: more digits than any position has; the message says so, without where.
    """
    digits = digits.replace(",", "").lstrip("0") or "0"
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits is no position in a record")
    return int(digits)


def in_file_name(name: str) -> str:
    """Return a record's name for the name of a file, where different names stay different.

    A short one of letters, digits, `_`, `.`, `+` and `-` stays as it is. Of others the remaining characters become `_`,
    and what follows the last `-` are eight hex digits of the name's SHA-256.
    """
    safe = _NOT_IN_FILE_NAMES.sub("_", name)
    if safe == name and len(name.encode()) <= _LONGEST_IN_FILE_NAMES and not _LIKE_HASHED.search(name):
        return name
    beginning = safe.encode()[:_LONGEST_IN_FILE_NAMES].decode(errors="ignore")
    return f"{beginning}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
