"""Progress in bases, of work that passes over every base many times."""

from collections.abc import Callable


class Portions:
    """Passes on what share of all work is done, as bases of the sequence.

    Args:
        length: bases that shall be reported in all.
        work: bases that will be read in all.
        advance: is told.
    """

    def __init__(self, length: int, work: int, advance: Callable[[int], None]) -> None:
        self._length, self._work, self._advance = length, max(1, work), advance
        self._read = self._said = 0

    def __call__(self, bases: int) -> None:
        """Hear of bases that were read."""
        self._read += bases
        due = min(self._length, self._length * self._read // self._work)
        if due > self._said:
            self._advance(due - self._said)
            self._said = due
