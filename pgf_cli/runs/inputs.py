"""The files that a run reads: they must stay what they were until its last base is read and its files are in place."""

from pgf_cli.errors import PgfError
from pgf_cli.runs.plan import RunPlan


class InputChangedError(PgfError, RuntimeError):
    """A file was written to or replaced while a run read it."""


def check_inputs(plan: RunPlan) -> None:
    """See that every input is still the file that was opened.

    Raises:
        InputChangedError: one is not; what was read since the last check may be of either.
    """
    for file in plan.inputs:
        if file.changed():
            raise InputChangedError(
                f"{file.path} was changed or replaced while the run read it; start again with one that stays as it is"
            )
