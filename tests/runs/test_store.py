"""What becomes of the work of a dead run: gone on from, refused with the reason, or cleared away."""

import numpy as np
import pytest

from pgf_cli.runs.groups import Interval, Layout
from pgf_cli.runs.parts import Reached
from pgf_cli.runs.store import OtherRunError, PartStore, UnfinishedRunError
from pgf_cli.tracks.folder import LOCK, RunFolder

KEY = {"--tile": "16", "the model's tensors": "abc"}
LAYOUT = Layout([Interval(0, 0, 4)])


def make_part(store):
    return store.part("part", ["response"], np.dtype(np.float32), LAYOUT)


def save_a_part(store):
    store.keep()
    part = make_part(store)
    part.open()
    part.save(Reached(position=2), {})
    part.close()


@pytest.fixture
def prefix(tmp_path):
    return tmp_path / "run"


@pytest.fixture
def dead(prefix):
    """The folder of a run that died with a part saved."""
    with RunFolder.hold(prefix) as folder:
        save_a_part(PartStore(folder, KEY, durable=True))
    assert {path.name for path in folder.path.iterdir()} == {"key.json", LOCK, "part.state", "part.values"}
    return folder.path


def settled(prefix, key=KEY, *, resume=False, force=False):
    """What `settle` says, and how far the part is then."""
    with RunFolder.hold(prefix) as folder:
        store = PartStore(folder, key, durable=True)
        goes_on = store.settle(resume=resume, force=force)
        return goes_on, make_part(store).load()[0], store.kept


def test_work_is_gone_on_from_when_asked_to(prefix, dead):
    assert settled(prefix, resume=True) == (True, Reached(position=2), True)
    assert settled(prefix, resume=True, force=True) == (True, Reached(position=2), True)
    assert dead.is_dir()


def test_work_is_neither_used_nor_lost_unless_asked(prefix, dead):
    with pytest.raises(UnfinishedRunError, match=r"run\.parts holds an unfinished run; .* --resume, .* --force\."):
        settled(prefix)
    assert settled(prefix, resume=True)[1] == Reached(position=2)


def test_work_of_another_run_is_refused_with_every_difference_named(prefix, dead):
    other = {"--tile": "8", "the model's tensors": "abc", "--null": "shuffle"}
    with pytest.raises(OtherRunError) as caught:
        settled(prefix, other, resume=True)
    message = str(caught.value)
    assert "differs from this one: --tile was 16, is 8; --null was not there, is shuffle." in message
    assert "tensors" not in message
    assert "--force" in message
    assert settled(prefix, resume=True)[1] == Reached(position=2)


def test_force_clears_the_work_away(prefix, dead):
    assert settled(prefix, force=True) == (False, Reached(), False)
    assert not dead.exists()


def test_parts_of_another_key_are_not_there_even_in_the_same_folder(prefix, dead):
    with RunFolder.hold(prefix) as folder:
        assert make_part(PartStore(folder, KEY, durable=True)).load()[0] == Reached(position=2)
        assert make_part(PartStore(folder, KEY | {"--tile": "8"}, durable=True)).load()[0] == Reached()


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "\0\0"])
def test_a_folder_whose_key_is_damaged_holds_no_work(prefix, dead, text):
    (dead / "key.json").write_text(text)
    assert settled(prefix) == (False, Reached(), False)


def test_what_a_dead_run_left_without_saving_is_removed(prefix):
    left = prefix.with_name("run.parts")
    left.mkdir()
    (left / LOCK).touch()
    (left / "output-000000.partial").write_text("half")
    assert settled(prefix, resume=True) == (False, Reached(), False)
    assert not left.exists()


def test_nothing_is_kept_before_something_is_saved(prefix):
    with RunFolder.hold(prefix) as folder:
        PartStore(folder, KEY, durable=True).settle(resume=False, force=False)
    assert not folder.path.exists()
