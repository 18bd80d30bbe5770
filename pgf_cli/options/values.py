"""Values as people read them."""

import datetime
from pathlib import Path

LONGEST_SHOWN = 60


def shown(value: object) -> str:
    """Return a value for an error message: on one line, without control characters, cut where it is long."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple | set):
        return "a list"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**LONGEST_SHOWN:
        return "a number of more than 60 digits"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(str(value) if isinstance(value, Path) else value) if not isinstance(value, int) else str(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}... ({len(str(value)):,} characters)"
