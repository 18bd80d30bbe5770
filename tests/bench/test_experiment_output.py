"""An experiment's files, read back by other readers."""

import io
import json
from typing import NamedTuple

import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from pgf_cli.bench.framework import output
from pgf_cli.bench.framework.experiment import Experiment, Outcome
from pgf_cli.bench.framework.output import MissingExtraError, perform, prepare
from pgf_cli.bench.framework.page import print_outcome
from pgf_cli.bench.framework.registry import Listing
from pgf_cli.tracks.staging import OutputExistsError

LISTING = Listing("toy", "A toy, with [brackets]")


class Row(NamedTuple):
    name: str
    length: int | None
    error: float | None


ROWS = [Row("a, b", 10, 0.1 + 0.2), Row("c", None, float("nan"))]


def draw(figure):
    axes = figure.add_subplot()
    axes.plot([1, 10], [1, 2], label="tangent")
    axes.set(xscale="log", xlabel="length (bases)")


def toy(rows=ROWS, table=None, draw=draw):
    outcome = Outcome(rows, "the error is [0.3]", True, {"error": 0.3, "lost": float("nan")}, draw, table)
    return Experiment("an error is small", lambda setting: outcome)


@pytest.fixture
def make(tmp_path, quick):
    def call(experiment, *, force=False):
        return perform(LISTING, experiment, quick, tmp_path, ["pgf-sensitivity", "bench", "toy"], force=force)[1]

    return call


def page(document):
    text = io.StringIO()
    print_outcome(document, Console(file=text, width=120))
    return text.getvalue().splitlines()


def test_four_files_appear_and_other_readers_read_them(make, tmp_path):
    make(toy())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy.csv", "toy.json", "toy.png", "toy.svg"]
    table = pd.read_csv(tmp_path / "toy.csv")
    assert list(table.columns) == ["name", "length", "error"]
    assert table.name.tolist() == ["a, b", "c"]
    assert table.error[0] == 0.1 + 0.2
    assert table.isna().sum().tolist() == [0, 1, 1]
    with Image.open(tmp_path / "toy.png") as image:
        assert image.format == "PNG"
        assert image.size == (1200, 750)
    svg = (tmp_path / "toy.svg").read_text()
    assert ">length (bases)</text>" in svg
    assert ">A toy, with [brackets]</text>" in svg


def test_the_json_says_what_was_found_by_what_command_on_what_machine(make, tmp_path):
    make(toy())
    document = json.loads((tmp_path / "toy.json").read_text())
    assert (document["claim"], document["finding"], document["holds"]) == (
        "an error is small",
        "the error is [0.3]",
        True,
    )
    assert document["summary"] == {"error": 0.3, "lost": None}
    assert document["table"][1] == {"name": "c", "length": None, "error": None}
    assert document["command"] == ["pgf-sensitivity", "bench", "toy"]
    assert (document["effort"], document["seed"], document["threads"]) == ("quick", 0, 1)
    assert document["machine"]["cores"] >= 1
    assert document["machine"]["processor"]
    assert document["versions"]["torch"].split(".")[0].isdigit()


def test_a_figure_is_the_same_bytes_each_time(make, tmp_path):
    make(toy())
    first = {kind: (tmp_path / f"toy.{kind}").read_bytes() for kind in ("png", "svg")}
    make(toy(), force=True)
    assert {kind: (tmp_path / f"toy.{kind}").read_bytes() for kind in first} == first


@pytest.mark.parametrize("broken", ["run", "draw"])
def test_nothing_is_left_after_an_error(make, tmp_path, broken):
    def fail(_):
        raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        make(toy(draw=fail) if broken == "draw" else Experiment("", fail))
    assert list(tmp_path.iterdir()) == []


def test_results_are_not_replaced_unless_told_to(make, tmp_path):
    make(toy())
    before = (tmp_path / "toy.json").read_text()
    with pytest.raises(OutputExistsError, match="--force"):
        prepare(["toy"], tmp_path, force=False)
    with pytest.raises(OutputExistsError):
        make(toy())
    assert (tmp_path / "toy.json").read_text() == before


def test_a_missing_matplotlib_is_an_error_before_computing(tmp_path, monkeypatch):
    monkeypatch.setattr(output.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'pgf-sensitivity\[bench\]'"):
        prepare(["toy"], tmp_path / "new", force=False)
    assert not (tmp_path / "new").exists()


def test_the_page_ends_in_the_finding_and_shows_every_row(make):
    lines = page(make(toy()))
    assert lines[0] == "toy: A toy, with [brackets]"
    assert lines[-1] == "holds: the error is [0.3]"
    assert [line.split() for line in lines[2:-1]] == [["name", "length", "error"], ["a,", "b", "10", "0.3"], ["c"]]


def test_a_table_of_medians_stands_in_for_the_rows_and_a_long_one_gives_way_to_the_summary(make):
    assert [line.split()[0] for line in page(make(toy(table=ROWS[:1])))[2:-1]] == ["name", "a,"]
    lines = page(make(toy(rows=ROWS * 30), force=True))
    assert [line.split() for line in lines[2:-1]] == [["quantity", "value"], ["error", "0.3"], ["lost"]]
