"""What a track says about annotated sites, in a table and in words that follow from its numbers."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from pgf_cli.hits import SiteComparison, Standing

SIGNIFICANT = 0.01

METHOD = (
    (
        "question",
        "does the model's log-likelihood of what follows lean more on an annotated site than on the same letters "
        "elsewhere? Each gene is read on its own strand",
    ),
    (
        "look-alikes",
        "the motif with the same 2 letters before and 3 after, not annotated, in genes that have annotated ones",
    ),
    (
        "percentile",
        "where a site's contribution (signed, summed over the motif) ranks among sites and look-alikes with the same "
        "neighbours, averaged over sites; 50: no difference",
    ),
    (
        "p",
        "share of all circular shifts of the annotation among the places compared, matched anew each time, that are as "
        "far from no difference, either way",
    ),
)
LIMITS = (
    "No cause: a contribution is the first-order change of the model's own log-likelihood, not of what a cell does.",
    "No recognition of sites: beyond the matched letters, a site's neighbourhood still differs from its look-alikes' "
    "(exon before a donor, intron after it), and knowing common words and composition may be enough.",
    "Nothing beyond this stretch of one chromosome, one training and these draws of untrained weights.",
    "Period-3 power of the contribution inside genes would be no evidence: untrained weights show it as well.",
)


def print_demonstration(
    comparisons: Sequence[SiteComparison], about: Sequence[tuple[str, str]], console: Console
) -> None:
    """Print the comparisons of annotated sites, trained against untrained.

    Args:
        comparisons: one for each kind of site.
        about: what was compared: names and texts.
        console: where to print.
    """
    console.print()
    console.print("annotated sites against look-alikes", style="bold")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for name, text in (*about, *METHOD):
        grid.add_row(escape(name), escape(text))
    console.print(Padding(grid, (0, 0, 1, 2)))
    console.print(Padding(_table(comparisons), (0, 0, 1, 2)))
    for comparison in comparisons:
        console.print(Padding(escape(verdict(comparison)), (0, 0, 0, 2)))
    for comparison in comparisons:
        console.print(Padding(escape(_left_out(comparison)), (0, 0, 0, 2)))
    console.print()
    console.print("what this does not show", style="bold")
    for limit in LIMITS:
        console.print(Padding(limit, (0, 0, 0, 2)))


def verdict(comparison: SiteComparison) -> str:
    """Say what a comparison shows: something learnt only if sites stand out, and more so than with any untrained draw.

    Either needs a p of at most 0.01.
    """
    trained = comparison.trained
    name = f"{comparison.motif.name[0].upper()}{comparison.motif.name[1:]}"
    found = f"mean percentile {percent(trained.value)}, p {trained.p:.2g}"
    if trained.p > SIGNIFICANT:
        return f"{name}: nothing shown. The trained model does not set annotated sites apart ({found})."
    side = 1 if trained.value > 0.5 else -1
    word = "more" if side == 1 else "less"
    apart = f"{name}: in the trained model annotated sites contribute {word} than look-alikes ({found})"
    worst = min(comparison.differences, key=lambda difference: side * difference.value)
    beside = f"smallest difference {100 * worst.value:+.1f}"
    highest = max(difference.p for difference in comparison.differences)
    if side * worst.value <= 0 or highest > SIGNIFICANT:
        return (
            f"{apart}, but not demonstrably {word} than with untrained weights ({beside}, highest p {highest:.2g}): "
            "nothing learnt is shown."
        )
    means = [standing.value for standing in comparison.untrained]
    return (
        f"{apart}; with untrained weights it is {percent(min(means))} to {percent(max(means))} ({len(means)} draws). "
        f"The difference is what training made ({beside}, highest p {highest:.2g})."
    )


def percent(value: float) -> str:
    """Return a share of 1 as a percentile."""
    return f"{100 * value:.1f}"


def _left_out(comparison: SiteComparison) -> str:
    return (
        f"Annotated {comparison.motif.name} not compared: {comparison.other_letters:,} with other letters than "
        f"{comparison.motif.letters}, {comparison.unmatched:,} without a look-alike."
    )


def _table(comparisons: Sequence[SiteComparison]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    left = ("sites", "weights")
    counted = ("genes", "annotated", "look-alikes")
    for name in (*left, *counted, "percentile", "95% of shifts", "p", "highest possible", "trained minus it", "p"):
        table.add_column(name, justify="left" if name in left else "right", no_wrap=True)
    for row in comparisons:
        counts = (f"{row.genes:,}", f"{row.sites:,}", f"{row.lookalikes:,}")
        table.add_row(
            f"{row.motif.name}, {row.motif.letters}", "trained", *counts, *_cells(row.trained), percent(row.highest)
        )
        for number, (standing, difference) in enumerate(zip(row.untrained, row.differences, strict=True)):
            gained = (f"{100 * difference.value:+.1f}", f"{difference.p:.2g}")
            table.add_row("", f"untrained {number}", "", "", "", *_cells(standing), "", *gained)
    return table


def _cells(standing: Standing) -> tuple[str, str, str]:
    shifted = f"{percent(standing.low)} to {percent(standing.high)}"
    return percent(standing.value), shifted, f"{standing.p:.2g}"
