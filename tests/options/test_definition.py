"""One definition of an option: what it reads from text and from values, and what it refuses in one line."""

import time
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest

from pgf_cli.errors import UsageError
from pgf_cli.options import Option, definitions_of


@dataclass(frozen=True, kw_only=True)
class Example:
    needed: Annotated[Path, Option(help="A path.")]
    count: Annotated[int, Option(lowest=1, highest=2000, help="How many.")] = 1500
    rate: Annotated[float | None, Option(lowest=0, highest=1, help="How fast. Default: unknown.")] = None
    colour: Annotated[Literal["red", "blue"], Option(help="{values}.")] = "red"
    colours: Annotated[tuple[Literal["red", "blue"], ...], Option(help="Several.")] = ("red",)
    names: Annotated[tuple[str, ...], Option(flag="--name", help="Some.")] = ()
    smooth: Annotated[bool, Option(flag="--no-smooth", help="Leave it rough.")] = True
    code: Annotated[str, Option(pattern="[A-Z]{2}", expected="two capitals", help="Code.")] = "AB"


OPTIONS = definitions_of(Example)


def test_a_field_says_name_type_default_and_bounds():
    count = OPTIONS["count"]
    assert (count.flag, count.key, count.variable) == ("--count", "count", "PGF_COUNT")
    assert (count.kind, count.default, count.expected) == (int, 1500, "a whole number from 1 to 2,000")
    assert count.help == "How many. Default: 1,500."
    assert (OPTIONS["needed"].required, OPTIONS["needed"].default) == (True, MISSING)
    assert OPTIONS["needed"].help == "A path. Required."
    assert (OPTIONS["rate"].optional, OPTIONS["rate"].help) == (True, "How fast. Default: unknown.")
    assert (OPTIONS["colour"].choices, OPTIONS["colour"].help) == (("red", "blue"), "red or blue. Default: red.")
    assert (OPTIONS["names"].flag, OPTIONS["names"].many) == ("--name", True)
    assert (OPTIONS["smooth"].switches_off, OPTIONS["smooth"].key) == (True, "no-smooth")


def test_a_field_without_an_option_is_a_mistake_in_the_program():
    @dataclass
    class Bare:
        count: int = 1

    with pytest.raises(TypeError, match="count has no Option"):
        definitions_of(Bare)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "12", 12),
        ("count", "+1_000", 1000),
        ("count", "2000", 2000),
        ("rate", "1e-3", 0.001),
        ("rate", "1", 1.0),
        ("colour", "blue", "blue"),
        ("needed", "a b/ü.fa", Path("a b/ü.fa")),
        ("smooth", "Off", False),
        ("smooth", "1", True),
        ("code", "XY", "XY"),
    ],
)
def test_texts_become_values(name, text, value):
    found = OPTIONS[name].parse(text, name)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "value", "held"),
    [
        ("count", np.int64(7), 7),
        ("rate", np.float32(0.5), 0.5),
        ("rate", 1, 1.0),
        ("rate", None, None),
        ("needed", "x", Path("x")),
        ("smooth", np.False_, False),
        ("colours", "blue", ("blue",)),
        ("colours", ["blue", "red", "blue"], ("blue", "red")),
        ("names", [], ()),
    ],
)
def test_values_of_python_and_toml_become_what_the_field_holds(name, value, held):
    found = OPTIONS[name].check(value, name)
    assert (found, type(found)) == (held, type(held))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("count", 0, "--x is 0; it must be a whole number from 1 to 2,000"),
        ("count", 2001, "from 1 to 2,000"),
        ("count", 1.0, "--x is 1.0; it must be a whole number"),
        ("count", True, "--x is true; it must be a whole number"),
        ("count", None, "--x is None; it must be"),
        pytest.param("count", 10**5000, "--x is a number of more than 60 digits; it must be", id="5,000 digits"),
        ("rate", float("nan"), "a number from 0 to 1"),
        ("rate", float("inf"), "a number from 0 to 1"),
        pytest.param("rate", 10**5000, "a number from 0 to 1", id="5,000 digits, no float"),
        ("rate", "0.5", "'0.5'; it must be a number"),
        ("rate", 1j, "a number from 0 to 1"),
        ("colour", "green", "--x is 'green'; it must be red or blue"),
        ("colours", [], "--x is empty; it must have at least one of red or blue"),
        ("colours", {"red": 1}, "--x is a table; it must be red or blue"),
        ("names", [["a"]], "--x is a list; it must be a text"),
        ("names", ["a\x1b[2J"], r"--x is 'a\x1b[2J'; it must have no control characters"),
        ("needed", "a\0b", "it must have no control characters"),
        ("needed", "", "it must be a path"),
        ("needed", b"x", "it must be a path"),
        pytest.param("needed", "x" * 10**6, "it must be no longer than 4,096 characters", id="a megabyte"),
        ("code", "ABC", "--x is 'ABC'; it must be two capitals"),
        ("code", "AB\n", "no control characters"),
        ("smooth", 1, "--x is 1; it must be true or false"),
    ],
)
def test_what_is_wrong_is_said_in_one_short_line(name, value, said):
    with pytest.raises(UsageError) as caught:
        OPTIONS[name].check(value, "--x")
    line = str(caught.value)
    assert said in line
    assert line.isprintable()
    assert len(line) < 250


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("count", "9" * 5000),
        ("count", "9" * 10**6),
        ("count", "٣"),
        ("count", "1.0"),
        ("count", ""),
        ("rate", "9" * 10**6),
        ("rate", "nan"),
        ("rate", "1e999"),
        ("code", "A" * 10**6),
        ("smooth", "maybe"),
        ("needed", "x" * 10**6),
    ],
    ids=lambda value: value[:12],
)
def test_a_text_without_end_or_sense_is_refused_at_once(name, text):
    began = time.process_time()
    with pytest.raises(UsageError) as caught:
        OPTIONS[name].parse(text, "--x")
    assert time.process_time() - began < 1
    assert len(str(caught.value)) < 250
