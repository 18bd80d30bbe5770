"""A run that fails beside or behind the writers' thread ends with its own error and leaves nothing."""

import errno
import threading

import pytest

from pgf_cli.progress import SilentProgress
from pgf_cli.tracks.disk import WriteError
from pgf_cli.tracks.textfile import TextFile


def assert_nothing_is_left(folder):
    assert not list(folder.iterdir())
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("pgf-writer")]


@pytest.mark.parametrize("track_format", ["bedgraph", "csv"])
def test_a_disk_that_fills_up_is_one_line_and_no_file(carry_out, tmp_path, monkeypatch, track_format):
    full = OSError(errno.ENOSPC, "No space left on device")

    def refuse(file, frame, separator, quotes):
        # The CSV's header goes through: it is written when the file is made.
        if threading.current_thread() is not threading.main_thread():
            raise WriteError(tmp_path / "track", full)

    monkeypatch.setattr(TextFile, "write_frame", refuse)
    monkeypatch.setattr("pgf_cli.runs.values.BLOCK_BASES", 32)
    monkeypatch.setattr("pgf_cli.tracks.rows.BLOCK_ROWS", 50)
    with pytest.raises(WriteError, match=r"cannot write .*track: No space left on device") as caught:
        carry_out(formats=(track_format,))
    assert "\n" not in str(caught.value)
    assert_nothing_is_left(tmp_path)


def test_an_interrupt_in_the_middle_of_the_sweep_leaves_nothing(carry_out, tmp_path):
    class Interrupted(SilentProgress):
        def __init__(self):
            self.read = 0

        def advance(self, bases, doing):
            self.read += bases
            if self.read > 200:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(Interrupted(), formats=("bedgraph", "csv", "bigwig"))
    assert_nothing_is_left(tmp_path)
