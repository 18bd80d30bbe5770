"""The reader of TOML: regular, small files; whatever is wrong is one line, at once."""

import os
import time

import pytest

from pgf_cli.errors import UsageError
from pgf_cli.options import nearest, read_toml


def test_a_byte_order_mark_is_skipped(tmp_path):
    path = tmp_path / "a.toml"
    path.write_bytes(b'\xef\xbb\xbfname = "\xc3\xbc"\n')
    assert read_toml(path) == {"name": "ü"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a = = 3", "is not TOML: Invalid value (at line 1, column 5)"),
        (b"\x00", "is not TOML"),
        (b"a = 1\nb = '\xe9'", "is not TOML: line 2 is not UTF-8; save the file as UTF-8"),
        (b"a = " + b"[" * 2000 + b"]" * 2000, "nested too deeply"),
        (b"a = " + b"{a=" * 2000 + b"1" + b"}" * 2000, "nested too deeply"),
        (b"a" + b".a" * 20000 + b" = 1", "line 1 has more than 100 dots"),
        ((b"a" + b".a" * 100 + b" = 1\n") * 300, "is not TOML: Cannot overwrite"),
        (b"a = " + b"9" * 5000, "is not TOML: Exceeds the limit"),
        (b"#" * 70000, "has more than 65,536 bytes: it is not a file of options"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_file_of_options_is_one_line_at_once(tmp_path, content, said):
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    began = time.process_time()
    with pytest.raises(UsageError) as caught:
        read_toml(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert str(caught.value).isprintable()
    assert time.process_time() - began < 1


def test_a_missing_file_a_folder_and_a_fifo_are_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path, said in (
        (tmp_path / "none", "No such file"),
        (tmp_path, "not a regular file"),
        (tmp_path / "fifo", "not a regular file"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        with pytest.raises(UsageError, match=said):
            read_toml(path)


def test_the_nearest_name_of_a_long_word_is_found_at_once():
    began = time.process_time()
    assert nearest("hit_distanse", ["hit-distance", "hits", "tile"]).startswith("hit-distance")
    assert nearest("q" * 60000, ["hit-distance"]) == ""
    assert time.process_time() - began < 1
