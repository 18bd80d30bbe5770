"""How numbers are written in a report."""


def position(chrom: str, start: int) -> str:
    """Return a 0-based position as browsers take it: 1-based, with thousands commas."""
    return f"{chrom}:{start + 1:,}"


def number(value: float | None) -> str:
    """Return a value with four significant digits, NA for none."""
    return "NA" if value is None else f"{value:.4g}"


def length(bases: int | None) -> str:
    """Return a number of bases, NA for none."""
    return "NA" if bases is None else f"{bases:,}"
