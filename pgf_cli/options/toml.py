"""The one reader of TOML: small, regular files, and one line on whatever is wrong with them."""

import difflib
import stat
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pgf_cli.errors import UsageError

MOST_BYTES = 1 << 16
"""Of a file; the largest example has a fiftieth of that."""
MOST_DOTS = 100
"""Of a line: the library's time grows as the square of a dotted key's parts, 8,000 of them take it seconds."""


def read_toml(path: Path) -> dict[str, Any]:
    """Read the file that ``--config`` names; a byte order mark before it is skipped.

    Raises:
        UsageError: it cannot be read, is no regular file, is too long, or is not TOML.

    Source: TOML v1.0.0.
    """
    try:
        # Before opening: a FIFO that nobody writes to would never open.
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"cannot read --config {path}: it is not a regular file; name a TOML file")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read --config {path}: {error.strerror}") from error
    if len(content) > MOST_BYTES:
        raise UsageError(f"--config {path} has more than {MOST_BYTES:,} bytes: it is not a file of options")
    for number, text in enumerate(content.split(b"\n"), 1):
        if text.count(b".") > MOST_DOTS:
            raise UsageError(
                f"--config {path}: line {number} has more than {MOST_DOTS} dots; write a list on many lines"
            )
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except RecursionError as error:
        raise UsageError(f"--config {path} is nested too deeply; an option is a value or a list of values") from error
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UsageError(f"--config {path} is not TOML: line {line} is not UTF-8; save the file as UTF-8") from error
    except ValueError as error:
        # Also of numbers with more digits than Python reads.
        raise UsageError(f"--config {path} is not TOML: {' '.join(str(error).split())}") from error


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known names that look most like a word, for "did you mean"; '' where none does."""
    # The comparison takes time as the word's length squared.
    return " or ".join(difflib.get_close_matches(word[:100], sorted(known), n=3))
