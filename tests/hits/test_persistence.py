"""Lag, half-life and reach against their definitions and, for a decaying pulse, their closed forms."""

import numpy as np
import pytest

from pgf_cli.hits import half_life, nearest_pulse, persistence, reach


def track(values):
    values = np.asarray(values, dtype=float)
    return lambda start, end: values[start:end]


@pytest.mark.parametrize("chunk", [3, 1 << 16])
@pytest.mark.parametrize("rate", [0.5, 0.9, 0.999])
def test_an_exponential_decay_has_the_half_life_and_reach_of_its_rate(rate, chunk, monkeypatch):
    monkeypatch.setattr(persistence, "_CHUNK", chunk)
    pulse, length = 7, 8000
    values = np.concatenate([np.zeros(pulse), rate ** np.arange(length - pulse)])
    read = track(values)
    assert half_life(read, pulse, length) == int(np.ceil(np.log(2) / -np.log(rate) - 1e-9))
    assert reach(read, pulse, length) == int(np.floor(np.log(100) / -np.log(rate)))


def test_half_life_counts_from_the_hit_and_is_unknown_if_the_search_ends_first():
    read = track([0, 8, 6, 5, 4, 9, 1])
    assert half_life(read, 1, 7) == 3
    assert half_life(read, 1, 4) is None
    assert half_life(read, 5, 7) == 1


def test_reach_is_measured_against_the_maximum_within_16_bases_and_may_come_back():
    values = np.zeros(200)
    values[10], values[26], values[27] = 1.0, 5.0, 1000.0
    values[150] = 0.05
    values[199] = 0.049
    assert reach(track(values), 10, 200) == 140
    assert reach(track(values), 10, 100) == 17
    assert reach(track(np.zeros(50)), 10, 50) is None


def test_nearest_pulse_at_or_before():
    assert [nearest_pulse(position, [3, 10]) for position in (2, 3, 9, 10, 99)] == [None, 0, 0, 1, 1]
