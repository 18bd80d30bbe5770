"""How large a run's output will be, before it is computed."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

TrackFormat = Literal["bedgraph", "csv", "bigwig"]

# Mean characters of a shortest decimal by bytes per value, from log-normal values between 1e-4 and 1e3.
_VALUE_WIDTH = {4: 11.0, 8: 19.5}
# Bytes per base of a bigWig of continuous float32 values, zoom levels included; measured, deflate gains little.
_BIGWIG_BYTES_PER_BASE = 5.3
# Of text, after compression; measured on such values.
_BGZF_SHARE = {4: 0.35, 8: 0.4}


class Span(NamedTuple):
    """Bases that will be written: 0-based half-open."""

    contig: str
    start: int
    end: int


def estimated_bytes(
    track_format: TrackFormat, spans: Iterable[Span], tracks: int, itemsize: int, *, bgzip: bool = False
) -> int:
    """Bytes that the files of one format take together, within about 20% for text whose bases are all scored.

    Args:
        track_format: bedGraph and bigWig have a file per track, CSV has one.
        spans: what is written.
        tracks: how many tracks.
        itemsize: bytes of a value in the run's dtype, 4 or 8; bigWig stores 4 whatever it is.
        bgzip: whether the text is compressed.
    """
    share = _BGZF_SHARE[itemsize] if bgzip else 1.0
    total = 0.0
    for span in spans:
        length = span.end - span.start
        if track_format == "bigwig":
            total += tracks * _BIGWIG_BYTES_PER_BASE * length
            continue
        place = length * (len(span.contig.encode()) + 1) + _position_characters(span)
        values = length * (_VALUE_WIDTH[itemsize] + 1)
        text = tracks * (place + values) if track_format == "bedgraph" else place + 2 * length + tracks * values
        total += share * text
    return round(total)


def readable_bytes(count: float) -> str:
    """A size for people, in powers of 1,000: `532 bytes`, `3.2 GB`."""
    if count < 1000:
        return f"{count:.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 999.95:
            return f"{count:.1f} {unit}"
    return f"{count / 1000:,.1f} TB"


def _position_characters(span: Span) -> int:
    """Characters of start, end and the separators after them, over all lines of a span."""
    length = span.end - span.start
    return _digits(span.start, span.end) + _digits(span.start + 1, span.end + 1) + 2 * length


def _digits(first: int, last: int) -> int:
    """Decimal digits of all integers in [first, last) together."""
    digits, power = last - first, 10
    while power < last:
        digits += last - max(first, power)
        power *= 10
    return digits
