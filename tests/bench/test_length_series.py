"""Growing lengths with made-up contestants: who is left out, who fails, and what is said of it."""

import pytest
import torch

from pgf_cli.bench.baselines import checkpoint_spacing
from pgf_cli.bench.framework import length_series
from pgf_cli.bench.framework.contestants import Contestant
from pgf_cli.bench.framework.timing import Watched
from pgf_cli.bench.studies.length_series_report import growth, largest_error, memory_exponent, series_rows, series_table

LENGTHS = (100, 1000, 10_000)


def contestant(name, rival=True):
    return Contestant(name, lambda length: lambda: torch.tensor([float(length)]), rival=rival)


@pytest.fixture
def world(monkeypatch):
    """Every run takes a millisecond and 10 kB a base; 200 MB are free."""

    def watch(work):
        work()
        return Watched(watch.length * 1e-3, watch.length * 10_000)

    def measure(each, length, turn, work):
        watch.length = length
        return original(each, length, turn, work)

    original = length_series._measure
    monkeypatch.setattr(length_series, "watch", watch)
    monkeypatch.setattr(length_series, "_measure", measure)
    monkeypatch.setattr(length_series, "free_memory", lambda: 200 * 10**6)


def measured(quick, *contestants, repeats=2, seconds=None):
    runs = length_series.measure_series(contestants, LENGTHS, repeats, seconds, quick, "toy")
    return series_rows("toy", runs, {100: torch.tensor([100.0]), 1000: torch.tensor([1001.0])})


def test_every_length_is_run_until_the_next_would_take_too_long_or_too_much(world, quick):
    rows = measured(quick, contestant("a", rival=False), contestant("b"), seconds=5.0)
    assert [(row.length, row.run) for row in rows if row.contestant == "b"] == [(100, 1), (1000, 1), (10_000, None)]
    rows = [row for row in rows if row.contestant == "a"]
    assert [(row.length, row.run) for row in rows] == [(100, 1), (100, 2), (1000, 1), (1000, 2), (10_000, None)]
    assert rows[-1].note == "left out: would take about 10 s"


def test_what_would_not_fit_into_memory_is_left_out(world, quick, monkeypatch):
    monkeypatch.setattr(length_series, "free_memory", lambda: 100 * 10**6)
    rows = measured(quick, contestant("a"), repeats=1)
    assert [row.note for row in rows] == ["", "", "left out: would take about 0.1 GB"]


def test_a_rival_that_fails_is_a_row_and_one_of_ours_an_error(world, quick):
    def broken(length):
        raise ValueError("no such thing")

    rows = measured(quick, Contestant("broken", broken, rival=True), contestant("b"), repeats=1)
    assert {row.note for row in rows if row.contestant == "broken"} == {"failed: ValueError: no such thing"}
    assert len([row for row in rows if row.seconds is not None]) == 3
    with pytest.raises(ValueError, match="no such thing"):
        measured(quick, Contestant("ours", broken))


def test_growth_exponent_and_error_are_of_what_was_measured(world, quick):
    rows = measured(quick, contestant("a"))
    assert growth(rows, "toy", "a") == 9000 * 10_000
    assert memory_exponent(rows, "toy", "a") == pytest.approx(1)
    assert largest_error(rows, ["a"]) == pytest.approx(1 / 1001)
    assert [row.error for row in series_table(rows)] == [0, pytest.approx(1 / 1001), None]
    assert [row.microseconds_per_base for row in series_table(rows)] == pytest.approx([1000] * 3)


@pytest.mark.parametrize(("least", "factor"), [(8, 0.5), (16, 1.0)])
def test_the_spacing_with_the_least_memory_is_found(quick, monkeypatch, least, factor):
    seen = []

    def prepare(length, segment):
        return lambda: seen.append(segment) or torch.tensor([1.0])

    def watch(work):
        work()
        return Watched(1.0, 10**7 * (1 + abs(seen[-1] - least)))

    monkeypatch.setattr(length_series, "watch", watch)
    spacing, tried = checkpoint_spacing.best_spacing(prepare, 256, quick, "toy")
    assert spacing.factor == factor
    assert spacing(25_600) == 160 * factor
    assert tried[0].contestant.name == "checkpointing, 4 bases a segment"
