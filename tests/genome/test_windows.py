"""Which window scores a base: the one whose middle is nearest, by looking at all of them."""

import itertools

import pytest

from pgf_cli.genome import Region
from pgf_cli.genome.windows import Windows, two_direction_passes


@pytest.mark.parametrize(("length", "overlap"), [(10, 5), (10, 0), (10, 9), (7, 3), (1, 0), (64, 20)])
@pytest.mark.parametrize("record", [1, 5, 10, 11, 64, 65])
def test_each_base_is_scored_once_in_the_window_whose_middle_is_nearest(length, overlap, record):
    passes = two_direction_passes([Region("chr", 0, record)], record, None, Windows(length, overlap))
    scored = [(base, one) for one in passes for first, end in one.written(0, record) for base in range(first, end)]
    assert [base for base, _ in scored] == list(range(record))
    starts = {
        one.start for one in two_direction_passes([Region("chr", 0, record)], record, None, Windows(length, overlap))
    }
    assert all(one.end - one.start == min(length, record) for one in passes)
    for base, one in scored:
        assert one.start <= base < one.end
        nearest = min(abs(2 * start + min(length, record) - 2 * base - 1) for start in starts)
        assert abs(2 * one.start + min(length, record) - 2 * base - 1) == nearest
    for one, following in itertools.pairwise(passes):
        # Every step is there, and neighbours overlap as asked, the last one by more.
        assert following.start - one.start <= length - overlap


def test_a_base_has_the_same_window_whatever_was_asked_for():
    whole = two_direction_passes([Region("chr", 0, 100)], 100, None, Windows(20, 6))
    window_of = {
        base: (one.start, one.end) for one in whole for span in one.spans for base in range(span.start, span.end)
    }
    some = two_direction_passes([Region("chr", 13, 31), Region("chr", 90, 92)], 100, None, Windows(20, 6))
    asked = {base: (one.start, one.end) for one in some for span in one.spans for base in range(span.start, span.end)}
    assert set(asked) == {*range(13, 31), 90, 91}
    assert all(window_of[base] == window for base, window in asked.items())


def test_without_windows_the_whole_record_is_read_or_the_context_on_either_side():
    spans = [Region("chr", 10, 20), Region("chr", 50, 55)]
    (whole,) = two_direction_passes(spans, 100, None, None)
    assert (whole.start, whole.end, whole.spans) == (0, 100, tuple(spans))
    left, right = two_direction_passes(spans, 60, 15, None)
    assert (left.start, left.end, left.spans) == (0, 35, (spans[0],))
    assert (right.start, right.end, right.spans) == (35, 60, (spans[1],))
