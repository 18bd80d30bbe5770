"""Peak finding against its definition, written as a loop over bases."""

import itertools
import tracemalloc

import numpy as np
import pytest

from pgf_cli.hits import Peak, PeakFinder


def peaks_by_definition(values, scored, distance, keep):
    peaks = []
    for here in np.flatnonzero(scored):
        value = values[here]
        left = [values[i] for i in range(max(0, here - distance), here) if scored[i]]
        right = [values[i] for i in range(here + 1, min(len(values), here + distance + 1)) if scored[i]]
        if value > 0 and all(value > other for other in left) and all(value >= other for other in right):
            peaks.append(Peak(int(here), float(value)))
    return sorted(peaks, key=lambda peak: (-peak.value, peak.position))[:keep]


def tied_track(seed, length, dtype=np.float32):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 6, length).astype(dtype) / 7
    scored = rng.random(length) > 0.1
    run = rng.integers(0, length)
    scored[run : run + 40] = False
    values[~scored] = 1e9
    return values, scored


def found(values, scored, distance, keep, cuts=(), origin=0):
    finder = PeakFinder(distance, keep)
    edges = [0, *sorted(cuts), len(values)]
    for first, last in itertools.pairwise(edges):
        finder.add(origin + first, values[first:last], scored[first:last])
    return finder.finish()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("distance", [0, 1, 7, 50, 400])
@pytest.mark.parametrize("keep", [1, 5, 1000])
def test_peaks_are_those_of_the_definition_whatever_ties_and_gaps(seed, distance, keep):
    values, scored = tied_track(seed, 350)
    assert found(values, scored, distance, keep) == peaks_by_definition(values, scored, distance, keep)


@pytest.mark.parametrize("distance", [0, 3, 50])
def test_peaks_do_not_depend_on_where_tiles_end(distance, monkeypatch):
    # Small blocks make every tile a decision, where an edge could show.
    monkeypatch.setattr("pgf_cli.hits.peaks._BLOCK", 1)
    rng = np.random.default_rng(distance)
    for seed in range(20):
        values, scored = tied_track(seed, 700, np.float64)
        cuts = rng.integers(0, 700, rng.integers(0, 60))
        assert found(values, scored, distance, 25, cuts) == peaks_by_definition(values, scored, distance, 25)


def test_long_track_is_decided_block_by_block_like_a_short_one():
    values = np.random.default_rng(3).random(200_000)
    scored = np.ones(len(values), dtype=bool)
    # Independent of the sliding window: a peak above all within 50 bases, ranked, starts with the track's maximum.
    tiled = found(values, scored, 50, 20, cuts=range(512, 200_000, 512))
    assert tiled == found(values, scored, 50, 20)
    expected = []
    for position in np.argsort(-values):
        low = max(0, position - 50)
        if values[low : position + 51].argmax() + low == position:
            expected.append(int(position))
        if len(expected) == 20:
            break
    assert [peak.position for peak in tiled] == expected


@pytest.mark.parametrize("gap", [1, 9, 10, 11, 5000])
def test_bases_that_were_never_added_neither_count_nor_shorten_the_distance(gap):
    finder = PeakFinder(distance=10, keep=9)
    ones = np.ones(1, dtype=bool)
    finder.add(100, np.array([2.0]), ones)
    finder.add(101 + gap, np.array([1.0]), ones)
    expected = [Peak(100, 2.0)] + ([Peak(101 + gap, 1.0)] if gap + 1 > 10 else [])
    assert finder.finish() == expected


def test_plateau_and_far_equal_values_give_one_peak_each_from_the_left():
    values = np.array([0, 3, 3, 3, 0, 0, 0, 3, 0], dtype=np.float32)
    assert found(values, np.ones(9, dtype=bool), 3, 9, origin=1000) == [Peak(1001, 3.0), Peak(1007, 3.0)]


def test_zeros_and_empty_records_have_no_peak():
    assert found(np.zeros(500), np.ones(500, dtype=bool), 5, 9) == []
    assert found(np.ones(500), np.zeros(500, dtype=bool), 5, 9) == []
    assert PeakFinder(5, 9).finish() == []
    assert found(np.ones(500), np.ones(500, dtype=bool), 5, keep=0) == []


def test_overlapping_tiles_are_refused():
    finder = PeakFinder(5, 9)
    finder.add(0, np.ones(10), np.ones(10, dtype=bool))
    with pytest.raises(ValueError, match="left to right"):
        finder.add(9, np.ones(10), np.ones(10, dtype=bool))


def test_memory_does_not_grow_with_the_record():
    def peak_memory(tiles):
        values, scored = np.random.default_rng(1).random(10_000), np.ones(10_000, dtype=bool)
        tracemalloc.start()
        finder = PeakFinder(distance=50, keep=5)
        for start in range(0, tiles * 10_000, 10_000):
            finder.add(start, values, scored)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak_memory(100) < 1.1 * peak_memory(20)


def test_ranking_takes_linear_time_however_many_regions_are_kept_apart(monkeypatch):
    ranked = []
    lexsort = np.lexsort

    def counted(keys):
        ranked.append(len(keys[0]))
        return lexsort(keys)

    monkeypatch.setattr(np, "lexsort", counted)
    monkeypatch.setattr("pgf_cli.hits.peaks._BLOCK", 64)
    regions, scored = 3000, np.ones(5, dtype=bool)
    values = np.random.default_rng(2).random((regions, 5))
    finder = PeakFinder(distance=1, keep=10**6)
    for index, one in enumerate(values):
        finder.add(10 * index, one, scored)
    track = np.pad(values, ((0, 0), (0, 5))).ravel()
    assert finder.finish() == peaks_by_definition(track, track > 0, 1, 10**6)
    assert sum(ranked) < 4 * len(finder.finish())
