"""How large text will be, before it is computed."""

from pgf_cli.tracks.request import OutputRequest, Span

# Mean characters of a shortest decimal by bytes per value, from log-normal values between 1e-4 and 1e3.
_VALUE_WIDTH = {4: 11.0, 8: 19.5}
# Of text, after compression; measured on such values.
_BGZF_SHARE = {4: 0.35, 8: 0.4}


def values_bytes(span: Span, request: OutputRequest) -> float:
    """Bytes of a value and the separator after it, on every line of a span."""
    return (span.end - span.start) * (_VALUE_WIDTH[request.dtype.itemsize] + 1)


def places_bytes(span: Span) -> int:
    """Bytes of name, start and end and a separator after each, on every line of a span."""
    length = span.end - span.start
    positions = _digits(span.start, span.end) + _digits(span.start + 1, span.end + 1) + 2 * length
    return length * (len(span.contig.encode()) + 1) + positions


def stored_bytes(text_bytes: float, request: OutputRequest) -> int:
    """Bytes that so much text takes on the disk, compressed if that is wanted."""
    return round(text_bytes * (_BGZF_SHARE[request.dtype.itemsize] if request.bgzip else 1.0))


def readable_bytes(count: float) -> str:
    """A size for people, in powers of 1,000: `532 bytes`, `3.2 GB`."""
    if count < 1000:
        return f"{count:.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 999.95:
            return f"{count:.1f} {unit}"
    return f"{count / 1000:,.1f} TB"


def _digits(first: int, last: int) -> int:
    """Decimal digits of all integers in [first, last) together."""
    digits, power = last - first, 10
    while power < last:
        digits += last - max(first, power)
        power *= 10
    return digits
