"""No character that a terminal obeys or hides gets through, and no other is touched."""

import sys
import unicodedata

import pytest

from pgf_cli.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("chr1 Arabidopsis [bold]", "chr1 Arabidopsis [bold]"),
        ("染色体1 ünï ▁█ 🧬", "染色体1 ünï ▁█ 🧬"),
        ("a\x1b]52;c;cm0=\x07", r"a\x1b]52;c;cm0=\x07"),
        ("a\x9b31m", r"a\x9b31m"),
        ("one\r\ntwo\ttabs\x0b\x7f\0", r"one\r\ntwo\ttabs\x0b\x7f\x00"),
        ("gnp\u202e.exe\u200b\u2028\ufeff", r"gnp\u202e.exe\u200b\u2028\ufeff"),
        ("caf\udce9.fa", r"caf\xe9.fa"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("", ""),
    ],
)
def test_shown_as(text, shown):
    assert printable(text) == shown


def test_of_all_characters_those_change_that_steer_or_do_not_show():
    harmful = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    for code in range(sys.maxunicode + 1):
        category = unicodedata.category(chr(code))
        if category != "Zs":  # spaces: the plain one stays, whatever becomes of the wide ones
            assert (printable(chr(code)) != chr(code)) == (category in harmful), hex(code)
    assert printable(" ") == " "
