import numpy as np
import pytest

from pgf_cli.bench.framework import affordable
from pgf_cli.bench.framework.affordable import affordable_length
from pgf_cli.bench.framework.timing import Watched, interleaved, median_peak, median_seconds, watch

MB = 10**6


def test_contestants_take_turns_round_after_round():
    turns = []
    runs = interleaved({name: lambda name=name: turns.append(name) for name in "abc"}, repeats=2)
    assert turns == list("abcabc")
    assert {name: len(each) for name, each in runs.items()} == {"a": 2, "b": 2, "c": 2}


def test_the_peak_is_what_the_work_held_at_once_and_not_what_came_before_or_what_it_kept():
    def hold(megabytes):
        return lambda: [np.ones(megabytes * MB, dtype=np.uint8)[:1].copy() for _ in range(3)]

    first = watch(hold(200))
    if first.peak_bytes is None:
        pytest.skip("this system does not tell its peak memory")
    assert 195 * MB < first.peak_bytes < 230 * MB
    # Were the high-water mark not reset, the second would see the first's; were it the sum, three times as much.
    assert 45 * MB < watch(hold(50)).peak_bytes < 80 * MB


def test_medians_leave_out_what_the_system_did_not_tell():
    runs = [Watched(3.0, None), Watched(1.0, 10), Watched(2.0, 30)]
    assert median_seconds(runs) == 2.0
    assert median_peak(runs) == 20
    assert median_peak(runs[:1]) is None


@pytest.fixture
def law(monkeypatch):
    """A contestant whose seconds and bytes are functions of the length, on a machine with 10 GB free."""
    tried = []

    def prepare(seconds, memory):
        def of(length):
            tried.append(length)
            return lambda: Watched(seconds(length), memory(length))

        return of

    monkeypatch.setattr(affordable, "watch", lambda work: work())
    monkeypatch.setattr(affordable, "free_memory", lambda: 10**10)
    return prepare, tried


def test_a_contestant_within_its_limits_gets_the_length_that_was_wanted(law):
    prepare, tried = law
    assert affordable_length(prepare(lambda n: n / 1000, lambda n: n), 10_000, 11.0) == (10_000, None)
    assert tried == [256, 1024, 4096]


def test_a_quadratic_contestant_is_stopped_before_the_run_that_would_take_too_long(law):
    prepare, tried = law
    # 6.6 s at 256, 105 s at 1,024, 1,678 s at 4,096: linearly from 1,024 that would be 419.
    length, why = affordable_length(prepare(lambda n: 1e-4 * n * n, lambda n: 0), 16_384, 1000.0)
    assert (length, tried) == (1024, [256, 1024])
    assert why == "4,096 bases would take about 1,678 s"


def test_a_contestant_is_stopped_before_it_would_exhaust_the_memory(law):
    prepare, _ = law
    length, why = affordable_length(prepare(lambda n: 0.1, lambda n: n * 10**6), 16_384, None)
    assert length == 4096
    assert why == "16,384 bases would take about 16.4 GB"
