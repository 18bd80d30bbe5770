"""How a run's work is cut: passes in groups, a long pass in segments.

A group is one long pass or many short ones in a row, some `segment` bases together. Its segments are cut at fixed
positions, at edges between tiles, so that no value depends on where they are.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pgf_cli.genome.passes import ReadPass


class Interval(NamedTuple):
    """Written positions of one pass of a group."""

    member: int
    """Which of the group's passes."""
    start: int
    end: int


class Group(NamedTuple):
    """Passes that are computed together."""

    number: int
    first: int
    """Which of the run's passes its first one is."""
    passes: tuple[ReadPass, ...]


def group_passes(passes: Sequence[ReadPass], segment: int, *, by_record: bool) -> tuple[Group, ...]:
    """Put passes together in their order: a long one alone, short ones up to ``segment`` bases.

    Args:
        passes: the run's, in the order of reading.
        segment: bases.
        by_record: never put two records together (each has tracks of its own).
    """
    groups: list[Group] = []
    waiting: list[ReadPass] = []
    bases = 0
    for number, one in enumerate(passes):
        size = one.end - one.start
        apart = by_record and waiting and waiting[-1].contig != one.contig
        if waiting and (apart or bases + size > segment):
            groups.append(Group(len(groups), number - len(waiting), tuple(waiting)))
            waiting, bases = [], 0
        waiting.append(one)
        bases += size
    groups.append(Group(len(groups), len(passes) - len(waiting), tuple(waiting)))
    return tuple(groups)


class Layout:
    """Where written positions stand in a file that holds nothing else.

    Args:
        intervals: sorted and disjoint.
    """

    def __init__(self, intervals: Iterable[Interval]) -> None:
        self._intervals = list(intervals)
        self._offsets = [0]
        for interval in self._intervals:
            self._offsets.append(self._offsets[-1] + interval.end - interval.start)

    @property
    def size(self) -> int:
        """How many positions there are."""
        return self._offsets[-1]

    def place(self, member: int, position: int) -> int:
        """Return how many written positions come before one."""
        index = bisect_right(self._intervals, (member, position), key=lambda one: (one.member, one.start)) - 1
        interval = self._intervals[index]
        return self._offsets[index] + position - interval.start
