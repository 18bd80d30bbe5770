"""``run --help`` at 80 columns: the options that most runs need first, then groups; nothing cut, nothing said twice."""

import re

import pytest

from pgf_cli.cli.app import app
from pgf_cli.cli.exits import ExitStatus
from pgf_cli.options import definitions_of
from pgf_cli.settings import RunSettings


@pytest.fixture
def page(pgf):
    # Without colours, whatever the machine that runs the tests sets.
    result = pgf("run", "--help", COLUMNS="80", TERMINAL_WIDTH="80", NO_COLOR="1", TERM="dumb")
    assert result.exit_code == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)


def panels(page):
    """Flags by panel, in order."""
    found = {}
    for line in page.splitlines():
        if title := re.match(r"[╭+]─ (\w+) ─", line):
            flags = found.setdefault(title[1], [])
        elif flag := re.match(r"[│|] (?:\* +)?(--[a-z-]+|FASTA) ", line):
            flags.append(flag[1])
    return found


def test_the_ten_options_that_most_need_stand_first_and_the_rest_in_groups(page):
    found = panels(page)
    assert list(found) == ["Arguments", "Options", "Input", "Computation", "Output", "Machine"]
    assert found["Options"] == [
        "--model", "--output", "--format", "--region", "--regions", "--mode", "--pulse", "--threads", "--resume",
        "--force", "--help",
    ]  # fmt: skip
    shown = {flag for flags in found.values() for flag in flags}
    assert {each.flag for each in definitions_of(RunSettings).values() if not each.option.positional} <= shown
    assert {"--config", "--dry-run", "--json", "--quiet", "--verbose"} <= shown


def test_it_names_the_three_tracks_with_what_they_measure(page):
    text = " ".join(page.split("╭")[0].split())
    for track, quantity in (
        ("contribution", "the gradient of a score"),
        ("response", "the 2-norm of the output's derivative"),
        ("ghost", "the part of the response that goes back at least W bases"),
    ):
        assert re.search(rf"{track} \(\w+\): {re.escape(quantity)}", text)


def test_it_fits_80_columns_with_no_word_cut(page):
    assert max(map(len, page.splitlines())) <= 80
    assert "…" not in page


def test_environment_variables_and_exit_codes_are_explained_once(page):
    text = " ".join(page.split())
    assert text.count("PGF_") == 2  # the rule, and its example
    assert "env var" not in text
    codes = re.search(r"Exit codes: (.*)", text)[1]
    assert {int(number) for number in re.findall(r"\b\d{1,3}\b", codes)} >= {int(status) for status in ExitStatus}


@pytest.mark.parametrize("command", [each.name or each.callback.__name__ for each in app.registered_commands])
def test_options_that_commands_share_are_said_in_the_same_words(pgf, command):
    result = pgf(command, "--help", COLUMNS="80", TERMINAL_WIDTH="80", NO_COLOR="1", TERM="dumb")
    assert result.exit_code == 0
    text = " ".join(result.stdout.replace("│", "").split())
    for name in ("dtype", "threads", "seed", "force", "alphabet", "tile"):
        definition = definitions_of(RunSettings)[name]
        assert f"{definition.flag} " not in text or definition.help in text
