"""What a training run or an evaluation tells while it works."""

from typing import Protocol


class Progress(Protocol):
    """Listens; what it is told counts bases read."""

    def message(self, text: str) -> None:
        """Take a line for the user."""

    def begin(self, total: int) -> None:
        """The model will read ``total`` bases."""

    def advance(self, bases: int, doing: str) -> None:
        """The model has read ``bases`` more; ``doing`` says what for."""

    def end(self) -> None:
        """The model reads no more, or was broken off."""
