"""A track in one line of text."""

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
NO_SCORE = " "


def sparkline(bins: Sequence[float | None]) -> str:
    """Return one block character a bin, from the lowest bin to the highest; a space where there is no score."""
    known = [value for value in bins if value is not None]
    if not known:
        return NO_SCORE * len(bins)
    low, span = min(known), (max(known) - min(known)) or 1.0
    return "".join(
        NO_SCORE if value is None else BLOCKS[min(len(BLOCKS) - 1, int((value - low) / span * len(BLOCKS)))]
        for value in bins
    )
