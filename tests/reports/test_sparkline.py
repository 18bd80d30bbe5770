"""The outline of a track in a line of text."""

import io

import pytest
from rich.console import Console

from pgf_cli.reports import print_report, sparkline
from pgf_cli.reports.sparkline import BLOCKS, PLAIN, marks_for


@pytest.mark.parametrize(
    ("bins", "drawn"),
    [
        ([0, 7, None, 3.5], "▁█ ▅"),
        ([2.0, 2.0], "▁▁"),
        ([None], " "),
        ([], ""),
        ([1e-300, 2e-300], "▁█"),
        ([-1.7e308, 1.7e308, 0.0], "▁█▅"),
        ([0.0, float("nan"), float("inf"), 1.0], "▁  █"),
    ],
)
def test_it_goes_from_the_lowest_bin_to_the_highest(bins, drawn):
    assert sparkline(bins) == drawn


def test_in_less_width_the_highest_of_the_bins_that_share_a_character_is_shown():
    assert sparkline([0, 0, 9, 0, 0, 1, None, None, None], 3) == "█▁ "
    assert sparkline([0, 0, 0, 9, 0], 2) == "▁█"
    assert sparkline([0, 9], 5) == "▁█"
    for width in range(1, 64):
        for highest in range(64):
            drawn = sparkline([5.0 * (at == highest) for at in range(64)], width)
            assert len(drawn) == width
            assert width == 1 or drawn.index("█") == next(
                at for at in range(width) if highest < (at + 1) * 64 // width
            ), (width, highest)


def test_an_output_without_blocks_gets_ascii():
    assert [marks_for(name) for name in ("utf-8", "latin-1", "ascii", "no such")] == [BLOCKS, PLAIN, PLAIN, PLAIN]
    assert sparkline([0, 7, None, 3.5], marks=PLAIN) == "_# ="
    assert len(PLAIN) == len(BLOCKS)
    assert PLAIN.isascii()


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
def test_a_report_can_be_written_in_old_encodings(finished, encoding):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    print_report(finished / "both.run.json", Console(file=file, width=80))
    file.flush()
    assert b"#" in file.buffer.getvalue()
