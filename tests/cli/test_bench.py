import json
import subprocess
import sys
from pathlib import Path

import pytest

from pgf_cli.bench.framework import output
from pgf_cli.bench.framework.registry import LISTINGS, load
from pgf_cli.bench.studies.length import study as length
from pgf_cli.cli import bench

TINY = ("--layers", 1, "--channels", 8, "--state", 2, "--quick", "-p", 1, "-q")


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setitem(length.LENGTHS, "quick", (600, 1200))
    monkeypatch.setattr(length, "REPEATS", 1)


def test_bench_alone_lists_every_experiment_with_its_title(pgf):
    result = pgf("bench")
    assert result.exit_code == 0
    assert [line.split("  ")[0].strip() for line in result.stdout.splitlines()] == [each.name for each in LISTINGS]
    assert "Time and peak memory against length" in result.stdout


@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.name)
def test_every_listed_experiment_can_be_loaded_and_has_a_command(listing, pgf):
    assert load(listing).claim
    assert pgf("bench", listing.name, "--help").exit_code == 0


def test_length_writes_its_files_prints_a_table_and_ends_in_the_finding(pgf):
    result = pgf("bench", "length", *TINY, "-o", "results/new")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in Path("results/new").iterdir()) == [
        "length.csv", "length.json", "length.png", "length.svg",
    ]  # fmt: skip
    lines = result.stdout.splitlines()
    assert lines[0].startswith("length: ")
    assert any(line.split()[:5] == ["tangent", "of", "one", "pulse", "1,200"] for line in lines)
    assert lines[-1] == json.loads(Path("results/new/length.json").read_text())["finding"]
    assert "1-layer Mamba, D 8, N 2" in lines[-1]


def test_json_is_what_the_file_holds_and_records_the_options(pgf):
    result = pgf("bench", "length", *TINY, "--json", "--seed", 3, "--time", 7)
    printed = json.loads(result.stdout)
    assert printed == json.loads(Path("bench/length.json").read_text())
    assert (printed["seed"], printed["threads"], printed["effort"], printed["seconds_limit"]) == (3, 1, "quick", 7)


def test_all_runs_every_experiment(pgf, monkeypatch):
    monkeypatch.setattr(bench, "LISTINGS", LISTINGS[1:2] * 2)
    result = pgf("bench", "all", "--quick", "-q", "--json", "--force")
    assert result.exit_code == 0, result.output
    assert [document["experiment"] for document in json.loads(result.stdout)] == ["length", "length"]


def test_what_is_wrong_is_one_line_before_anything_is_computed(pgf, monkeypatch):
    def compute(*arguments):
        raise AssertionError

    monkeypatch.setattr(output, "perform", compute)
    result = pgf("bench", "length", "--quick", "--extended")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "give one of them" in result.stderr
    Path("bench").mkdir()
    Path("bench/length.svg").write_text("")
    result = pgf("bench", "all")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "length.svg exists already; replace it with --force" in result.stderr
    monkeypatch.setattr(output.importlib.util, "find_spec", lambda name: None)
    result = pgf("bench", "speed", "--force")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "pip install 'pgf-sensitivity[bench]'" in result.stderr


def test_listing_and_help_answer_without_importing_torch():
    script = (
        "import sys\nfrom typer.testing import CliRunner\nfrom pgf_cli.cli.app import app\n"
        "assert 'speed' in CliRunner().invoke(app, ['bench']).stdout\n"
        "assert 'mambapy' in CliRunner().invoke(app, ['bench', 'speed', '--help']).stdout\n"
        "assert not {'torch', 'matplotlib', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
