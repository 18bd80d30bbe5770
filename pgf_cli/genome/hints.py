"""Which record a name that the FASTA does not have may have meant; in bounded time, however many names there are."""

import difflib
import heapq
from collections.abc import Iterable
from functools import cached_property
from itertools import islice

from pgf_cli.genome.names import shortened

SEARCHED = 100_000
"""How many of a FASTA's names are looked through, from its first on."""
NEAREST_SEARCHES = 3
"""For how many unknown names the nearest ones are looked for: that takes far longer than to find another spelling."""

_COMPARED = 200
_COMPARED_CHARACTERS = 60


class RecordHints:
    """Hints for names that are not among ``known``; make one for a whole file of such names.

    Args:
        known: the names that the FASTA has, in its order.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self._known = list(islice(known, SEARCHED))
        self._searches_left = NEAREST_SEARCHES

    def of(self, name: str) -> str:
        """Return what to say of a name; an empty string where nothing is looked for any more."""
        alias = self._by_chromosome.get(_chromosome(name))
        if alias is not None:
            return f"it calls that chromosome {alias!r}, and names must match exactly"
        if not self._searches_left:
            return ""
        self._searches_left -= 1
        return f"nearest names: {', '.join(map(shortened, self._nearest(name)))}"

    @cached_property
    def _by_chromosome(self) -> dict[str, str]:
        # From the last to the first: of two spellings the first one counts.
        return {_chromosome(name): name for name in reversed(self._known)}

    def _nearest(self, name: str) -> list[str]:
        candidates = self._known
        if len(candidates) > _COMPARED:
            candidates = heapq.nlargest(_COMPARED, candidates, key=lambda other: _shared_beginning(name, other))
        # By their beginnings: comparing takes the square of a name's length. Of two that begin alike the first counts.
        beginnings = {other[:_COMPARED_CHARACTERS]: other for other in reversed(candidates)}
        near = difflib.get_close_matches(name[:_COMPARED_CHARACTERS], beginnings, n=3)
        return [beginnings[beginning] for beginning in near] or self._known[:3]


def _chromosome(name: str) -> str:
    """Reduce the spellings of one chromosome ('chr1', 'Chr1', '1'; 'chrM', 'MT') to one."""
    bare = name.lower().removeprefix("chr")
    return "m" if bare == "mt" else bare


def _shared_beginning(one: str, other: str) -> int:
    for length, (mine, theirs) in enumerate(zip(one[:_COMPARED_CHARACTERS], other, strict=False)):
        if mine != theirs:
            return length
    return min(len(one), len(other), _COMPARED_CHARACTERS)
