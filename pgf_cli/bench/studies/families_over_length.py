"""What the studies of memory against length share: models of all families, every length, and exact values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from pgf_cli.bench.framework.contestants import Contestant
from pgf_cli.bench.framework.experiment import Outcome, Setting
from pgf_cli.bench.framework.length_series import SeriesRun, measure_series
from pgf_cli.bench.studies.length_series_report import SeriesRow, draw_series, series_rows, series_table
from pgf_cli.bench.subjects.layered import Subject, frechet, mamba, mamba2
from pgf_cli.bench.subjects.sizes import Sizes

Subjects = Sequence[Subject]
Rows = Sequence[SeriesRow]


@dataclass(frozen=True)
class Workload:
    """How much an effort measures."""

    lengths: tuple[int, ...]
    repeats: int
    seconds: float
    """That a single run may take unless told otherwise."""
    exact_up_to: int
    """Bases up to which float64 is computed."""
    layered: Sizes
    """Of the Mamba and the Mamba-2."""


def measure_families(
    setting: Setting,
    operator: tuple[int, int],
    layered: Sizes,
    measure_subject: Callable[[Subject], list[SeriesRow]],
    summarise: Callable[[Subjects, Rows], dict[str, float]],
    describe: Callable[[Subjects, Rows, dict[str, float]], tuple[str, bool | None]],
) -> Outcome:
    """Measure a model of each family and say what was found.

    Args:
        setting: whose seed draws the models.
        operator: channels and state size of the paper's operator.
        layered: sizes of the Mamba and the Mamba-2.
        measure_subject: returns the rows of a model.
        summarise: returns the numbers to quote.
        describe: returns the finding in words, and whether the claim holds.
    """
    subjects = [frechet(*operator, setting.seed), mamba(layered, setting.seed), mamba2(layered, setting.seed)]
    rows = [row for subject in subjects for row in measure_subject(subject)]
    summary = summarise(subjects, rows)
    finding, holds = describe(subjects, rows, summary)
    return Outcome(rows, finding, holds, summary, partial(draw_series, rows), series_table(rows))


def rows_with_errors(
    subject: Subject,
    contestants: Sequence[Contestant],
    tried: Sequence[SeriesRun],
    effort: Workload,
    setting: Setting,
    exact: Callable[[int], Tensor],
) -> list[SeriesRow]:
    """Measure contestants at every length, and compute the exact derivative where the effort affords it.

    Args:
        subject: what is differentiated.
        contestants: ways to the same derivative.
        tried: runs that were measured before, among the rows too.
        effort: lengths, repeats and limits.
        setting: whose time limit goes before the effort's.
        exact: computes the derivative in float64 for a length.
    """
    seconds = effort.seconds if setting.seconds is None else setting.seconds
    runs = measure_series(contestants, effort.lengths, effort.repeats, seconds, setting, subject.words)
    truths = {}
    for length in effort.lengths:
        if length <= effort.exact_up_to:
            setting.progress.message(f"{subject.words}: float64, {length:,} bases")
            truths[length] = exact(length)
    return series_rows(subject.words, [*runs, *tried], truths)
