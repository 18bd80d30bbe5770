"""What an experiment is: a claim, and a measurement that says whether it holds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pgf_cli.progress import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Effort = Literal["quick", "published", "extended"]
"""The part that two cores do in a minute; the paper's own setting; what goes beyond the paper."""

# A NamedTuple, one type for all rows of a table: its fields are the columns.
Row = Any


@dataclass(frozen=True)
class Setting:
    """How much is measured, and with what."""

    effort: Effort
    seed: int
    """Of every random number."""
    threads: int
    """Worker threads; ``set_threads`` was called with them."""
    seconds: float | None
    """No single run expected to take longer is begun; None: as the experiment sees fit."""
    progress: Progress


@dataclass(frozen=True)
class Outcome:
    """What an experiment found."""

    rows: Sequence[Row]
    """Every single run, for the CSV."""
    finding: str
    """The result in words, with its number, in one line."""
    holds: bool | None
    """Whether the claim was confirmed; None where this measurement cannot tell."""
    summary: Mapping[str, float]
    """The numbers to quote, by name; one that could not be measured is left out or NaN."""
    draw: "Callable[[Figure], None]"
    """Draws the figure on an empty one."""
    table: Sequence[Row] | None = None
    """What to print and keep in the JSON: medians over runs, say; None: the rows themselves."""


@dataclass(frozen=True)
class Experiment:
    """A claim and how it is tested; each module of an experiment has one, called ``EXPERIMENT``."""

    claim: str
    """The sentence under test."""
    run: Callable[[Setting], Outcome]
