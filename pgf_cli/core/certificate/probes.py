"""Which bases the certificate is made on: the first of a run's own input, and some deep inside it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pgf_cli.core.bases import N_CODE, BaseCodes, BaseSequence

PROBE_BASES = 256
PROBE_DEPTH = 65_536
"""Bases before the deep probe over which the state is handed on, unless told otherwise."""
PLACES = 16
"""Where the deep probe may be taken: so many places are looked at, at most."""


@dataclass(frozen=True)
class DeepProbe:
    """Bases deep inside a sequence, and those before them that made the state old."""

    codes: BaseCodes
    """Base codes of both, (lead + T,), N included."""
    lead: int
    """Bases read before the probe; to the model, the first of them is the first base."""
    start: int
    """0-based position of the probe's first base in the sequence that it was taken from."""

    @property
    def bases(self) -> int:
        """T, the length of the probe itself."""
        return len(self.codes) - self.lead

    def described(self, record: str) -> str:
        """Say where it is, in 1-based coordinates of the sequence that it was taken from."""
        return f"{self.bases} bases from {record}:{self.start + 1:,} on, after {self.lead:,} bases read"


def take_probe(chunks: Iterable[BaseCodes], bases: int = PROBE_BASES) -> BaseCodes:
    """Return the first bases that are not N, fewer than asked for where there are no more; reads no further."""
    parts: list[BaseCodes] = [np.empty(0, dtype=np.uint8)]
    for chunk in chunks:
        parts.append(chunk[chunk != N_CODE])
        if sum(map(len, parts)) >= bases:
            break
    return np.concatenate(parts)[:bases]


def take_deep_probe(sequence: BaseSequence, start: int, end: int, depth: int = PROBE_DEPTH) -> DeepProbe | None:
    """Take a probe as deep inside ``sequence[start:end]`` as asked for, or as that allows.

    It is taken near the middle, where no N is in it and at most half of the bases before it are N; where no such place
    is found, where there are fewest N. At most 16 places are looked at, so it reads at most 16 (depth + 256) bases.

    Args:
        sequence: base codes, in the order of reading.
        start: 0-based position of the first base that the model may read.
        end: one past the last.
        depth: bases read before the probe; 0 takes none.

    Returns:
        The probe; None where depth is 0, or where the sequence is no longer than the first probe.
    """
    lead = min(depth, end - start - PROBE_BASES)
    if lead < 1:
        return None
    first, last = start + lead, end - PROBE_BASES
    middle = (first + last) / 2
    places = sorted({int(at) for at in np.linspace(first, last, PLACES)}, key=lambda at: (abs(at - middle), at))
    found: list[tuple[int, DeepProbe]] = []
    for at in places:
        probe = DeepProbe(sequence[at - lead : at + PROBE_BASES], lead, at)
        is_n = probe.codes == N_CODE
        if not is_n[lead:].any() and 2 * is_n[:lead].sum() <= lead:
            return probe
        found.append((int(is_n[:lead].sum()) + lead * int(is_n[lead:].sum()), probe))
    return min(found, key=lambda one: one[0])[1]
