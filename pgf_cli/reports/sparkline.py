"""A track in one line of text."""

import itertools
import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = "_.-:=+*#"
"""For outputs that have no blocks."""
NO_SCORE = " "


def sparkline(bins: Sequence[float | None], width: int | None = None, marks: str = BLOCKS) -> str:
    """Return a character a bin, from the lowest bin to the highest; a space where there is no score.

    Args:
        bins: from left to right; None, and what is not finite, is no score.
        width: at most so many characters; neighbouring bins share one and the highest of them is shown.
        marks: characters from low to high.
    """
    shown = _shared([None if value is None or not math.isfinite(value) else value for value in bins], width)
    known = [value for value in shown if value is not None]
    # By their size, so that the widest span of finite numbers is finite.
    scale = max(map(abs, known), default=0.0) or 1.0
    low = min(known, default=0.0) / scale
    span = max(known, default=0.0) / scale - low or 1.0
    return "".join(
        NO_SCORE if value is None else marks[min(len(marks) - 1, int((value / scale - low) / span * len(marks)))]
        for value in shown
    )


def marks_for(encoding: str) -> str:
    """Return the characters of a sparkline that an output of this encoding can show."""
    try:
        BLOCKS.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return PLAIN
    return BLOCKS


def _shared(bins: Sequence[float | None], width: int | None) -> list[float | None]:
    count = len(bins) if width is None else min(len(bins), max(1, width))
    edges = [at * len(bins) // count for at in range(count + 1)] if count else [0]
    return [
        max((value for value in bins[first:last] if value is not None), default=None)
        for first, last in itertools.pairwise(edges)
    ]
