"""What long work tells while it goes on."""

from typing import Protocol


class Progress(Protocol):
    """Listens to a run, a fit or an evaluation; what it is told counts bases."""

    def message(self, text: str) -> None:
        """Take a line for the user."""

    def begin(self, total: int) -> None:
        """The work begins; the model will read ``total`` bases."""

    def advance(self, bases: int, doing: str) -> None:
        """The model has read ``bases`` more; ``doing`` says what for."""

    def end(self) -> None:
        """The work is over, or broken off."""


class SilentProgress:
    """Tells nothing."""

    def message(self, text: str) -> None:
        """Drop it."""

    def begin(self, total: int) -> None:
        """Drop it."""

    def advance(self, bases: int, doing: str) -> None:
        """Drop it."""

    def end(self) -> None:
        """Drop it."""
