"""What long work tells while it goes on."""

from typing import Protocol


class Progress(Protocol):
    """Listens to a run, a fit or an evaluation; what it is told counts bases."""

    def message(self, text: str) -> None:
        """Take a line for the user."""

    def warn(self, text: str) -> None:
        """Take a line that the user should see however little else is wanted."""

    def begin(self, total: int, done: int = 0) -> None:
        """The work begins: the model reads ``total`` bases, of which an earlier run has read ``done``.

        Every reading counts, so that the time left is true: the adjoint reads a base forwards, once or more often as
        its schedule says, and then backwards.
        """

    def advance(self, bases: int, doing: str) -> None:
        """The model has read ``bases`` more; ``doing`` says what for."""

    def end(self) -> None:
        """The work is over, or broken off."""


class SilentProgress:
    """Tells nothing."""

    def message(self, text: str) -> None:
        """Drop it."""

    def warn(self, text: str) -> None:
        """Drop it."""

    def begin(self, total: int, done: int = 0) -> None:
        """Drop it."""

    def advance(self, bases: int, doing: str) -> None:
        """Drop it."""

    def end(self) -> None:
        """Drop it."""
