"""How passes are put together and where written positions stand in a part."""

from pgf_cli.genome.passes import ReadPass
from pgf_cli.genome.regions import Region
from pgf_cli.runs.groups import Interval, Layout, group_passes


def one(contig, start, end):
    return ReadPass(contig, start, (Region(contig, start, end),))


def grouped(passes, segment, *, by_record=False):
    return [
        (group.number, group.first, [(each.contig, each.start, each.end) for each in group.passes])
        for group in group_passes(passes, segment, by_record=by_record)
    ]


def test_short_passes_go_together_in_order_up_to_a_segment():
    passes = [one("a", 0, 40), one("a", 50, 80), one("b", 0, 30), one("b", 60, 61), one("c", 0, 99)]
    assert grouped(passes, 100) == [
        (0, 0, [("a", 0, 40), ("a", 50, 80), ("b", 0, 30)]),
        (1, 3, [("b", 60, 61), ("c", 0, 99)]),
    ]


def test_a_long_pass_is_alone():
    passes = [one("a", 0, 10), one("b", 0, 101), one("c", 0, 10), one("d", 0, 10)]
    assert grouped(passes, 100) == [
        (0, 0, [("a", 0, 10)]),
        (1, 1, [("b", 0, 101)]),
        (2, 2, [("c", 0, 10), ("d", 0, 10)]),
    ]


def test_records_with_tracks_of_their_own_are_never_put_together():
    passes = [one("a", 0, 10), one("a", 20, 30), one("b", 0, 10)]
    assert grouped(passes, 100, by_record=True) == [
        (0, 0, [("a", 0, 10), ("a", 20, 30)]),
        (1, 2, [("b", 0, 10)]),
    ]


def test_what_is_read_counts_not_what_is_written():
    far = ReadPass("a", 0, (Region("a", 90, 100),))
    assert grouped([far, far], 150) == [(0, 0, [("a", 0, 100)]), (1, 1, [("a", 0, 100)])]


def test_a_layout_counts_the_written_positions_before_one():
    intervals = [Interval(0, 10, 14), Interval(0, 20, 21), Interval(2, 5, 8)]
    layout = Layout(intervals)
    places = [layout.place(each.member, at) for each in intervals for at in range(each.start, each.end)]
    assert places == list(range(8))
    assert layout.size == 8
    assert Layout([]).size == 0
