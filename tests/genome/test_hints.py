"""Which name was meant, found in bounded time."""

import time

import pytest

from pgf_cli.genome import ContigNotFoundError
from pgf_cli.genome.hints import NEAREST_SEARCHES, RecordHints


def test_the_nearest_of_many_names_is_found():
    known = [f"NW_{number:09d}.1" for number in range(20_000)]
    assert "NW_000012345.1" in str(ContigNotFoundError("NW_000012345.2", known))


def test_the_first_spelling_counts_where_there_are_two():
    assert "'chr1'" in RecordHints(["chr1", "1"]).of("Chr1")
    assert "'1'" in RecordHints(["1", "chr1"]).of("Chr1")


def test_other_spellings_are_found_after_the_nearest_are_no_longer_searched():
    hints = RecordHints(["chr1", "chrM"])
    assert all("nearest names" in hints.of(f"contig{number}") for number in range(NEAREST_SEARCHES))
    assert hints.of("contig9") == ""
    assert "'chrM'" in hints.of("MT")


@pytest.mark.parametrize("known", [["A" * 1024] * 2, ["A" * 1000 + str(number) for number in range(20_000)]])
def test_long_names_take_no_long_search_and_no_long_line(known):
    started = time.monotonic()
    message = str(ContigNotFoundError("A" * 1024 + "T", known))
    assert time.monotonic() - started < 5
    assert len(message) < 500


def test_a_million_names_are_not_all_looked_through():
    seen = 0

    def names():
        nonlocal seen
        for number in range(1_000_000):
            seen += 1
            yield f"scaffold{number}"

    ContigNotFoundError("chr1", names())
    assert seen <= 100_001
