"""How every figure looks: one palette that colour-blind readers can tell apart, one size, files that reproduce."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (8.0, 5.0)
"""Inches."""
DPI = 150

# Okabe & Ito 2008, "Color Universal Design", without the yellow, which is too pale for a line.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")

FORMATS = ("png", "svg")

_RC: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pgf-sensitivity",
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


class Look(NamedTuple):
    """A contestant's colour and marker: keyword arguments of ``Axes.plot``, by ``**look._asdict()``."""

    color: str
    marker: str


FIXED = {
    "tangent": Look(COLOURS[0], "o"),
    "adjoint": Look(COLOURS[1], "s"),
    "autograd": Look(COLOURS[6], "X"),
    "checkpointing": Look(COLOURS[2], "^"),
    "forward mode": Look(COLOURS[3], "D"),
}
"""The contestants that appear in more than one figure look the same in all of them."""


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Return how to draw each contestant of one figure: its fixed look, or else a colour that is not in it yet."""
    names = list(names)
    present = {FIXED[name].color for name in names if name in FIXED}
    colours = sorted(COLOURS, key=present.__contains__)
    free = (
        Look(colour, MARKERS[(index + turn) % len(MARKERS)])
        for turn in range(len(MARKERS))
        for index, colour in enumerate(colours)
    )
    rest = (look for look in free if look not in FIXED.values())
    return {name: FIXED.get(name) or next(rest) for name in names}


def save_figure(draw: "Callable[[Figure], None]", title: str, paths: Mapping[str, Path]) -> None:
    """Draw a figure and write it as PNG (150 dpi) and SVG (text as text), the same bytes each time.

    Args:
        draw: draws on an empty figure.
        title: the line above it.
        paths: where to write each of ``FORMATS``.
    """
    import matplotlib as mpl  # noqa: PLC0415  an extra
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context(_RC):
        figure = Figure(figsize=SIZE)
        draw(figure)
        figure.suptitle(title)
        for kind, path in paths.items():
            figure.savefig(path, format=kind, dpi=DPI, metadata={"Date": None} if kind == "svg" else None)
