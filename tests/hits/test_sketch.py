"""The sketch against NumPy's exact statistics."""

import tracemalloc

import numpy as np
import pytest

from pgf_cli.hits import TrackSketch

LARGE = 300_000


def sketched(values, cuts=()):
    sketch = TrackSketch()
    for part in np.split(values, sorted(cuts)):
        sketch.add(part)
    return sketch


def exact_mad(values):
    return np.median(np.abs(values - np.median(values)))


def mid_rank(values, value):
    return 100 * (np.mean(values < value) + np.mean(values <= value)) / 2


def test_a_million_lognormal_values_give_numpys_statistics():
    values = np.random.default_rng(1).lognormal(size=10**6)
    sketch = sketched(values)
    assert sketch.count == 10**6
    assert (sketch.minimum, sketch.maximum) == (values.min(), values.max())
    assert sketch.median == pytest.approx(np.median(values), rel=2e-3)
    assert sketch.mad == pytest.approx(exact_mad(values), rel=4e-3)
    for quantile, tolerance in [(0.01, 0.02), (0.5, 0.1), (0.99, 0.02), (0.9999, 5e-4), (1.0, 1e-4)]:
        value = np.quantile(values, quantile)
        assert sketch.percentile(value) == pytest.approx(100 * quantile, abs=tolerance)
    z = (20.0 - np.median(values)) / (1.4826 * exact_mad(values))
    assert sketch.robust_z(20.0) == pytest.approx(z, rel=1e-2)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_statistics_scale_with_the_track(scale):
    values = scale * np.random.default_rng(2).lognormal(size=LARGE)
    sketch = sketched(values)
    assert sketch.median == pytest.approx(np.median(values), rel=5e-3)
    assert sketch.mad == pytest.approx(exact_mad(values), rel=1e-2)


def test_heavy_ties_keep_their_value_and_count_half():
    values = np.round(np.random.default_rng(3).lognormal(size=LARGE))
    sketch = sketched(values)
    assert sketch.median == np.median(values) == 1.0
    assert sketch.mad == pytest.approx(exact_mad(values), rel=1e-12)
    for value in (0.0, 1.0, 2.0, 40.0):
        assert sketch.percentile(value) == pytest.approx(mid_rank(values, value), abs=1.0)


def test_a_track_that_is_mostly_zero_has_median_and_mad_zero_and_no_z():
    rng = np.random.default_rng(4)
    values = np.where(rng.random(LARGE) < 0.7, 0.0, rng.lognormal(size=LARGE))
    sketch = sketched(values)
    assert (sketch.median, sketch.mad, sketch.robust_z(3.0)) == (0.0, 0.0, None)
    assert sketch.percentile(5.0) == pytest.approx(mid_rank(values, 5.0), abs=0.05)


@pytest.mark.parametrize("count", [1, 2, 1000, LARGE])
def test_equal_values_have_no_spread(count):
    sketch = sketched(np.full(count, 3.25, dtype=np.float32))
    assert (sketch.minimum, sketch.median, sketch.maximum, sketch.mad) == (3.25, 3.25, 3.25, 0.0)
    assert sketch.robust_z(4.0) is None
    assert (sketch.percentile(3.0), sketch.percentile(3.25), sketch.percentile(4.0)) == (0.0, 50.0, 100.0)


@pytest.mark.parametrize("count", [2, 3, 17, 1000, 65_536])
def test_records_up_to_one_block_are_exact(count):
    values = np.random.default_rng(count).lognormal(size=count).astype(np.float32)
    sketch = sketched(values)
    assert sketch.median == np.median(values.astype(np.float64))
    assert sketch.mad == exact_mad(values.astype(np.float64))
    assert sketch.percentile(float(values[1])) == pytest.approx(mid_rank(values, values[1]), abs=1e-9)


def test_an_empty_record_has_no_statistics():
    sketch = sketched(np.empty(0))
    assert (sketch.count, sketch.minimum, sketch.maximum, sketch.median, sketch.mad) == (0, None, None, None, None)
    assert sketch.robust_z(1.0) is None
    with pytest.raises(ValueError, match="without values"):
        sketch.percentile(1.0)


def test_statistics_do_not_depend_on_where_tiles_end():
    rng = np.random.default_rng(5)
    values = rng.lognormal(size=LARGE).astype(np.float32)

    def numbers(sketch):
        return (sketch.median, sketch.mad, sketch.percentile(1.0), sketch.percentile(9.0), sketch.robust_z(3.0))

    whole = numbers(sketched(values))
    for pieces in (1, 7, 500):
        assert numbers(sketched(values, rng.integers(0, LARGE, pieces))) == whole


def test_asking_first_and_adding_later_is_refused():
    sketch = sketched(np.arange(5.0))
    assert sketch.median == 2.0
    with pytest.raises(RuntimeError, match="no more values"):
        sketch.add(np.arange(5.0))


@pytest.mark.parametrize("count", [1, 255, 256, 257, 1000, 65_535, 65_536, 65_537, 200_000])
def test_how_values_come_makes_no_difference_at_any_size(count):
    values = np.random.default_rng(count).normal(size=count)
    whole, pieces = sketched(values), sketched(values, range(0, count, 97))
    for sketch in (whole, pieces):
        assert sketch.count == count
    assert (whole.median, whole.mad) == (pieces.median, pieces.mad)
    if count <= 65_536:
        assert (whole.median, whole.mad) == (np.median(values), exact_mad(values))


def test_sketches_of_many_short_records_are_small():
    values = np.random.default_rng(1).normal(size=100)
    tracemalloc.start()
    try:
        sketches = [sketched(values) for _ in range(1000)]
        medians = {sketch.median for sketch in sketches}
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert medians == {np.median(values)}
    assert held / len(sketches) < 3000
