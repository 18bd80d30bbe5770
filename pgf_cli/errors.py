"""The errors that a user can mend. Only the command line turns them into a line and an exit code."""


class Advised:
    """An error that can say how to go on."""

    advice: str | None = None
    """A clause that the command line adds to its line, set by whoever knows what is left and how to resume."""


def advise(error: BaseException, advice: str) -> None:
    """Say how to go on after an error of whatever class, unless that is known better already.

    Args:
        error: on its way to the command line.
        advice: a clause: what is left, and which command goes on.
    """
    if advice_of(error) is None:
        error.advice = advice  # type: ignore[attr-defined]


def advice_of(error: BaseException) -> str | None:
    """Return how to go on after an error, if anybody has said so."""
    return getattr(error, "advice", None)


class PgfError(Advised, Exception):
    """Something that the user can mend; the message is one line: what happened, where, and what to do."""

    def __str__(self) -> str:
        # KeyError and its kin print the repr of their argument; ours are sentences.
        return str(self.args[0]) if self.args else ""


class UsageError(PgfError, ValueError):
    """The options contradict each other or cannot be read; exit code 2."""
