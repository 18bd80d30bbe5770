"""What a run tells while it works."""

from typing import Protocol


class Progress(Protocol):
    """Listens to a run; positions are not given, only numbers of bases."""

    def message(self, text: str) -> None:
        """Take a line for the user."""

    def begin(self, total: int) -> None:
        """The sweeps begin; the model will read ``total`` bases."""

    def advance(self, bases: int, doing: str) -> None:
        """The model has read ``bases`` more; ``doing`` says of which record and what for."""

    def end(self) -> None:
        """The sweeps are over, or broken off."""


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
