"""The bar on a terminal of any width and the lines elsewhere say honestly how far the work is."""

import io
import itertools
import re

import pytest
from rich.console import Console

from pgf_cli.cli import progress
from pgf_cli.cli.progress import LONGEST_DOING, BarProgress, LineProgress, progress_for, shortened
from pgf_cli.progress import SilentProgress


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


def drawn(bar: BarProgress, width: int) -> list[str]:
    """The lines of a bar as it stands."""
    file = io.StringIO()
    Console(file=file, width=width, color_system=None).print(bar._bar.get_renderable())
    return file.getvalue().splitlines()


def test_a_line_says_done_total_share_speed_and_time_left(clock, capsys):
    lines = LineProgress()
    lines.begin(1_000_000)
    clock.now += 5
    lines.advance(100_000, "chr1")
    assert capsys.readouterr().err == ""
    clock.now += 5
    lines.advance(100_000, "chr1")
    assert capsys.readouterr().err == "chr1: 200,000 of 1,000,000 bases (20%), 20,000 bases/s, 40 s left\n"


def test_a_resumed_run_starts_where_it_stands_and_counts_its_own_speed(clock, capsys):
    lines = LineProgress()
    lines.begin(1_000_000, done=800_000)
    clock.now += 10
    lines.advance(100_000, "chr1")
    assert capsys.readouterr().err == "chr1: 900,000 of 1,000,000 bases (90%), 10,000 bases/s, 10 s left\n"


def test_a_bar_of_a_resumed_run_starts_where_it_stands(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    bar = BarProgress()
    bar.begin(1000, done=250)
    bar.advance(250, "chr1")
    bar.end()
    assert "50%" in drawn(bar, 80)[0]


def test_lines_become_rarer_in_a_long_run_and_never_stop(clock, capsys):
    lines = LineProgress()
    hours = 10
    lines.begin(hours * 3600)
    told = []
    for _ in range(hours * 3600):
        clock.now += 1
        lines.advance(1, "chr1")
        if capsys.readouterr().err:
            told.append(clock.now - 1000)
    assert told[:3] == [10, 20, 30]
    assert max(later - earlier for earlier, later in itertools.pairwise(told)) == 600
    assert len(told) < 200


def test_nothing_is_divided_by_zero_or_beyond_the_whole(clock, capsys):
    lines = LineProgress()
    lines.begin(0)
    clock.now += 10
    lines.advance(0, "chr1")
    clock.now += 10
    lines.advance(30, "chr1")
    assert capsys.readouterr().err == "chr1: 30 of 30 bases (100%), 2 bases/s, 0 s left\n"


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_bar_keeps_one_line_and_all_its_figures_at_any_width(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    bar = BarProgress()
    bar.begin(10**9)
    bar.advance(123_456_789, "a_record_with_a_very_long_name.and.more.1 contribution, forwards")
    bar.end()
    lines = drawn(bar, width)
    assert len(lines) == 1
    assert "12%" in lines[0]
    assert len(lines[0]) <= width
    if width >= 60:
        assert "a_record_w...n, forwards" in lines[0]
        assert re.search(r"\d:\d\d|--:--", lines[0])
    assert ("━" in lines[0]) == (width > 70)


def test_a_long_name_keeps_both_its_ends():
    assert shortened("short", 24) == "short"
    text = shortened("chromosome_" * 5 + "scaffold_17", LONGEST_DOING)
    assert len(text) == LONGEST_DOING
    assert text.startswith("chromosome")
    assert text.endswith("scaffold_17")


def test_who_listens(monkeypatch):
    assert isinstance(progress_for(quiet=True), SilentProgress)
    assert isinstance(progress_for(quiet=False), LineProgress)
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    assert isinstance(progress_for(quiet=False), BarProgress)
