"""Computing a group's parts: go on from what is there, save at every segment's edge and every minute."""

import sys
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from pgf_cli.genome import Reading
from pgf_cli.interrupts import raise_pending
from pgf_cli.progress import Progress
from pgf_cli.runs.context import RecordContext
from pgf_cli.runs.groups import Group, Interval, Layout
from pgf_cli.runs.inputs import check_inputs
from pgf_cli.runs.kinds import Kind, Step
from pgf_cli.runs.parts import Part, Reached, Sums
from pgf_cli.runs.plan import RunPlan
from pgf_cli.runs.store import PartStore

Contexts = Callable[[Reading], RecordContext]
"""Gives a record's context as it is read."""

SAVE_SECONDS = 60.0
"""A long segment is saved this often."""
WORTH_SAVING_SECONDS = 10.0
"""What an interruption finds is saved from here on."""


class GroupParts:
    """The parts of one kind of sweep over one group.

    Args:
        plan: the run.
        store: where parts are.
        group: the group.
        kind: the kind of sweep.
        context: of the group's first record, for the columns' names.
    """

    def __init__(self, plan: RunPlan, store: PartStore, group: Group, kind: Kind, context: RecordContext) -> None:
        self.group, self.kind = group, kind
        self.bounds = _bounds(plan, group, kind)
        self._layered = plan.both_directions
        columns, dtype = kind.columns(context), np.dtype(plan.settings.track_dtype)
        self.parts = [
            store.part(f"{group.number:06d}.{kind.name}.{index:06d}", columns, dtype, Layout(intervals))
            for index, intervals in enumerate(self._intervals())
        ]

    @property
    def in_order(self) -> list[Part]:
        """The parts in the order of computing."""
        return self.parts[::-1] if self.kind.backwards else self.parts

    @property
    def inner(self) -> frozenset[int]:
        """Positions where one part ends and the next begins."""
        return frozenset(self.bounds[1:-1])

    def part_at(self, position: int) -> Part:
        """Return the part that holds a position."""
        return self.parts[bisect_right(self.bounds[1:-1], position)]

    def end_of_part(self, position: int) -> int:
        """Return where the part that holds a position ends."""
        return self.bounds[bisect_right(self.bounds[1:-1], position) + 1] if self.bounds else sys.maxsize

    def go_on(self) -> tuple[int, Reached, dict[str, Tensor]]:
        """Return which part in order comes next, how far the sweep is and its tensors there."""
        reached, tensors = Reached(), dict[str, Tensor]()
        for number, part in enumerate(self.in_order):
            there, kept = part.load()
            if there != Reached():
                reached, tensors = there, kept
            if not there.complete:
                return number, replace(reached, complete=False), tensors
        return len(self.parts), reached, tensors

    def done(self) -> int:
        """Return how many bases of reading it spares; the adjoint reads forwards again up to where it goes on."""
        number, reached, _ = self.go_on()
        times = 2 if self.kind.backwards or self._layered else 1
        whole = self.group.passes if number == len(self.parts) else self.group.passes[: reached.member]
        bases = times * sum(one.end - one.start for one in whole)
        if number < len(self.parts) and reached.position is not None:
            one = self.group.passes[reached.member]
            bases += times * (one.end - reached.position) if self.kind.backwards else reached.position - one.start
        return bases

    def _intervals(self) -> Iterator[list[Interval]]:
        passes = self.group.passes
        if not self.bounds:
            yield [Interval(at, *span) for at, one in enumerate(passes) for span in one.written(one.start, one.end)]
            return
        for start, end in zip(self.bounds, self.bounds[1:], strict=False):
            yield [Interval(0, *span) for span in passes[0].written(start, end)]


def _bounds(plan: RunPlan, group: Group, kind: Kind) -> list[int]:
    """Where a long pass is cut, both ends included; nothing for a group of several."""
    if len(group.passes) > 1:
        return []
    (one,) = group.passes
    cuts = (kind.edge(plan, one, at) for at in range(one.start, one.end, plan.settings.segment))
    # Left of this the initial state has still to add to the gradient: a sweep cannot be broken off there.
    inner = {cut for cut in cuts if one.start + plan.model.lookahead <= cut < one.end}
    return sorted({one.start, *inner, one.end})


class Computer:
    """Computes groups.

    Args:
        plan: the run.
        store: where parts are.
        progress: hears of every step.
    """

    def __init__(self, plan: RunPlan, store: PartStore, progress: Progress) -> None:
        self._plan, self._store, self._progress = plan, store, progress
        self._saved = time.monotonic()

    def done(self, groups: Iterable[Group], kinds: Sequence[Kind], contexts: Contexts) -> int:
        """Return how many bases of a run's reading its kept parts spare."""
        every = (
            GroupParts(self._plan, self._store, group, kind, contexts(group.passes[0].reading))
            for group in groups
            for kind in kinds
        )
        return sum(parts.done() for parts in every)

    def compute(self, parts: GroupParts, contexts: Contexts, stop: Callable[[], bool]) -> list[Sums]:
        """Compute what is not there yet; return the sums of each of the group's passes.

        Args:
            parts: the group's of one kind of sweep.
            contexts: gives a record's.
            stop: whether somebody asked to stop.

        Raises:
            Interrupted: somebody asked to stop; what is done is saved.
        """
        number, reached, tensors = parts.go_on()
        if number == len(parts.parts):
            return reached.finished
        part = parts.in_order[number]
        part.open()
        for member in range(reached.member, len(parts.group.passes)):
            one = parts.group.passes[member]
            began, before = time.perf_counter(), reached.sums.get("seconds", 0.0)
            begin = None if reached.position is None else (reached.position, tensors)
            context = contexts(one.reading).shuffled if parts.kind.null else contexts(one.reading)
            for step in parts.kind.steps(context, one, begin, parts.inner, self._advancer(context, parts.kind)):
                for start, end in one.written(step.start, step.start + len(step.bases)):
                    cut = slice(start - step.start, end - step.start)
                    part.write(member, start, {name: row[cut] for name, row in step.values.items()})
                sums = _added(reached.sums, step.sums) | {"seconds": before + time.perf_counter() - began}
                reached = replace(reached, member=member, position=step.position, sums=sums)
                self._report(context, parts.kind, step)
                if step.position in parts.inner:
                    self._save(part, replace(reached, complete=True), step.tensors())
                    part.close()
                    number += 1
                    part = parts.in_order[number]
                    part.open()
                elif step.position is not None:
                    self._save_in_time(part, reached, step.tensors, stopping=stop())
                if step.position is not None and stop():
                    raise_pending()
            reached = Reached(member=member + 1, finished=[*reached.finished, reached.sums])
            self._save_in_time(part, reached, dict, stopping=stop())
            if stop():
                raise_pending()
        if self._store.durable or self._seconds_since_saving > SAVE_SECONDS:
            self._save(part, replace(reached, complete=True), {})
        part.close()
        return reached.finished

    @property
    def _seconds_since_saving(self) -> float:
        return time.monotonic() - self._saved

    def _save_in_time(
        self, part: Part, reached: Reached, tensors: Callable[[], dict[str, Tensor]], *, stopping: bool
    ) -> None:
        worth = self._store.durable or self._seconds_since_saving > WORTH_SAVING_SECONDS
        if (stopping and worth) or self._seconds_since_saving > SAVE_SECONDS:
            self._save(part, reached, tensors())

    def _save(self, part: Part, reached: Reached, tensors: dict[str, Tensor]) -> None:
        # What was read up to here is vouched for now: it must have come from the files that the run began with.
        check_inputs(self._plan)
        self._store.keep()
        part.save(reached, tensors)
        self._saved = time.monotonic()

    def _advancer(self, context: RecordContext, kind: Kind) -> Callable[[int], None]:
        doing = "layer by layer" if self._plan.both_directions else "forwards"
        return lambda bases: self._progress.advance(bases, f"{context.title} {kind.name}, {doing}")

    def _report(self, context: RecordContext, kind: Kind, step: Step) -> None:
        doing = f"{context.title} {kind.name}" + ("" if step.values else ", context")
        self._progress.advance(len(step.bases), doing)


def _added(sums: Sums, more: Sums) -> Sums:
    return {name: sums.get(name, 0.0) + value for name, value in more.items()}
