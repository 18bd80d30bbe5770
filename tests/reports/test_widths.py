"""A narrow terminal shows all that a wide one does. The tables on disk are the source of what must be there."""

import csv
import io
import re
from collections import Counter, defaultdict

import pytest
from report_pages import RUNS, page
from rich.console import Console
from rich.text import Text

from pgf_cli.reports.page import broken, joined
from pgf_cli.reports.tables import Column, print_pairs, print_table

WIDTHS = (40, 60, 80, 120)
OUTLINE = re.compile(r"^ *[▁▂▃▄▅▆▇█ ]+$", re.MULTILINE)


def words(text: str) -> Counter[str]:
    """The words of a page but for its outlines, which are drawn as wide as there is room."""
    return Counter(word.strip(";") for word in OUTLINE.sub("", text).split())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", RUNS)
def test_every_word_of_a_wide_report_is_whole_in_a_narrow_one(finished, name, width):
    manifest = finished / f"{name}.run.json"
    assert words(page(manifest, width, verbose=True)) == words(page(manifest, 200, verbose=True))


@pytest.mark.parametrize("width", [*WIDTHS, 200])
@pytest.mark.parametrize("name", ["both", "pulses"])
def test_positions_values_and_contexts_of_the_best_hits_are_those_of_the_table(finished, name, width):
    shown = words(page(finished / f"{name}.run.json", width))
    by_kind = defaultdict(list)
    with (finished / f"{name}.hits.tsv").open() as file:
        for hit in csv.DictReader(file, delimiter="\t"):
            by_kind[hit["track"].split(".")[0]].append(hit)
    assert set(by_kind) == ({"response", "ghost", "contribution"} if name == "both" else {"response", "ghost"})
    expected: Counter[str] = Counter()
    for hits in by_kind.values():
        best = sorted(hits, key=lambda hit: abs(float(hit["value"])), reverse=True)[:10]
        for hit in best:
            expected[f"{hit['chrom']}:{int(hit['start']) + 1:,}"] += 1
            expected[f"{float(hit['value']):.4g}"] += 1
            expected[hit["context"]] += 1
            if hit["pulse"] != "NA":
                expected[hit["pulse"]] += 1
                expected[f"{int(hit['lag']):,}"] += 1
    assert expected <= shown


@pytest.mark.parametrize("width", [*WIDTHS, 200])
def test_sources_of_ghosts_are_those_of_the_table(finished, width):
    shown = words(page(finished / "both.run.json", width))
    by_ghost = defaultdict(list)
    with (finished / "both.trace.tsv").open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            by_ghost[row["hit"]].append(f"{row['chrom']}:{int(row['start']) + 1:,}")
    assert by_ghost
    assert Counter(source for sources in by_ghost.values() for source in sources[:3]) <= shown


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_terminal_unless_one_word_is(finished, width):
    for line in page(finished / "both.run.json", width, verbose=True).splitlines():
        assert len(line) <= width or len(line.split()[-1]) > width - 20, line


def test_what_is_piped_is_200_wide_whatever_the_terminal(finished, report):
    piped = report(finished / "both", COLUMNS="60").stdout
    assert words(piped) == words(page(finished / "both.run.json", 200))
    assert max(map(len, piped.splitlines())) > 120


def drawn(width: int, print_it, *arguments) -> list[str]:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    print_it(*arguments, console)
    return console.file.getvalue().splitlines()


TABLE = (
    [Column("position", left=True), Column("value"), Column("z"), Column("context", left=True)],
    [["chr1:1,000", "0.25", "10.5", "AC[G]T"], ["x:1", "-1.75", "NA", "[A]C"]],
)


def test_columns_that_have_no_room_go_on_in_order_on_lines_of_their_own():
    assert drawn(80, print_table, *TABLE) == [
        "  position    value     z  context",
        "  chr1:1,000   0.25  10.5  AC[G]T",
        "  x:1         -1.75    NA  [A]C",
    ]
    assert drawn(34, print_table, *TABLE) == drawn(80, print_table, *TABLE)
    assert drawn(33, print_table, *TABLE) == [
        "  position    value     z",
        "    context",
        "  chr1:1,000   0.25  10.5",
        "    AC[G]T",
        "  x:1         -1.75    NA",
        "    [A]C",
    ]
    assert drawn(20, print_table, *TABLE) == [
        "  position    value",
        "       z  context",
        "  chr1:1,000   0.25",
        "    10.5  AC[G]T",
        "  x:1         -1.75",
        "      NA  [A]C",
    ]


def test_a_cell_wider_than_the_terminal_is_broken_between_words_and_a_word_is_not_broken():
    table = ([Column("what", left=True), Column("n")], [["one two three", "1"], ["supercalifragilistic", "2"]])
    assert drawn(12, print_table, *table) == [
        "  what", "    n", "  one two", "  three", "    1", "  supercalifragilistic", "    2",
    ]  # fmt: skip


def test_wide_letters_count_twice_in_columns():
    rows = [["染色体1", "1"], ["chr1", "2"]]
    assert drawn(80, print_table, [Column("record", left=True), Column("n")], rows) == [
        "  record   n", "  染色体1  1", "  chr1     2",
    ]  # fmt: skip


def test_texts_stand_beside_their_names_or_below_them_where_it_is_narrow():
    pairs = [("a", "one two three four five six seven eight"), ("long name", "nine")]
    assert drawn(43, print_pairs, pairs) == [
        "  a          one two three four five six", "             seven eight", "  long name  nine",
    ]  # fmt: skip
    assert drawn(42, print_pairs, pairs) == [
        "  a", "    one two three four five six seven", "    eight", "  long name", "    nine",
    ]  # fmt: skip


def test_a_text_is_broken_between_words_with_its_styles():
    lines = broken(joined("ab ", ("cd ef", "red"), " gh"), 5)
    assert [line.plain for line in lines] == ["ab cd", "ef gh"]
    assert [[(span.start, span.end) for span in line.spans] for line in lines] == [[(3, 5)], [(0, 2)]]
    assert [line.plain for line in broken(Text(""), 5)] == [""]
