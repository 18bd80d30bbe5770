"""A run's files are put in place all together or not at all, whatever happens meanwhile."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from dying_commits import BYSTANDERS, NEW, OLD, commit, earlier_run, manifest_of, standing

from pgf_cli.tracks.disk import WriteError
from pgf_cli.tracks.folder import RunFolder
from pgf_cli.tracks.output_set import JOURNAL, OUTPUTS, AppearedError, JournalError, OutputSet, finish_commit
from pgf_cli.tracks.staging import OutputExistsError


@pytest.fixture
def folder(tmp_path):
    """A folder of files that are none of the run's."""
    for name, content in BYSTANDERS.items():
        (tmp_path / name).write_text(content)
    return tmp_path


def names(folder):
    return {path.name for path in folder.iterdir()} - set(BYSTANDERS)


NEW_NAMES = {"x.run.json", *(f"x{suffix}" for suffix in NEW)}
OLD_NAMES = {"x.run.json", *(f"x{suffix}" for suffix in OLD)}


@pytest.mark.parametrize(
    ("scenario", "before", "stages"),
    [
        ("first", "nothing", {"nothing nothing", "nothing new", "new new"}),
        ("no links", "nothing", {"nothing nothing", "nothing new", "new new"}),
        ("force", "old", {"old old", "old new", "nothing new", "new new"}),
    ],
)
def test_a_kill_at_any_moment_leaves_one_whole_set_after_the_next_opening(scenario, before, stages, tmp_path):
    program = Path(__file__).with_name("dying_commits.py")
    root = program.parents[2]
    done = subprocess.run(
        [sys.executable, program, tmp_path, scenario],
        check=True, capture_output=True, text=True, timeout=600, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    deaths = [json.loads(line) for line in done.stdout.splitlines()]
    assert [death["code"] for death in deaths] == [9] * (len(deaths) - 1) + [0]
    assert len(deaths) > 30
    # From the journal on it is the new set, before it the old one or none; never two at once.
    assert {f"{death['then']} {death['after']}" for death in deaths} == stages
    after = [death["after"] for death in deaths]
    assert after == sorted(after, key=[before, "new"].index)
    assert all(death["twice"] == [death["after"]] for death in deaths)


def test_everything_is_on_the_disk_before_the_name_that_vouches_for_it(folder, monkeypatch):
    earlier_run(folder)
    calls, fsync, replace = [], os.fsync, os.replace

    def synced(file):
        calls.append(("sync", Path(f"/proc/self/fd/{file}").readlink().name))
        fsync(file)

    def renamed(source, to):
        calls.append(("name", Path(to).name))
        replace(source, to)

    if not Path("/proc/self/fd").exists():
        pytest.skip("this system does not say which file is synced")
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    commit(folder, force=True)
    journal, manifest = calls.index(("name", JOURNAL)), calls.index(("name", "x.run.json"))
    for number in range(4):
        assert calls.index(("sync", f"{number:06d}.partial")) < journal
    assert calls.index(("sync", OUTPUTS)) < journal
    last = max(calls.index(("name", f"x{suffix}")) for suffix in NEW)
    assert calls[journal + 1] == ("sync", "x.parts")
    assert journal < last < calls.index(("sync", folder.name), last) < manifest
    assert ("sync", folder.name) in calls[manifest:]


def test_the_files_are_in_place_and_nothing_else_is_left(folder):
    commit(folder, force=False)
    assert names(folder) == NEW_NAMES
    assert standing(folder) == "new"


def test_without_force_nothing_that_is_there_is_touched(folder):
    earlier_run(folder)
    with pytest.raises(OutputExistsError, match=r"x\.csv exists already; replace it with --force"):
        commit(folder, force=False)
    assert standing(folder) == "old"


def test_what_an_earlier_run_wrote_and_this_one_does_not_goes_with_force(folder):
    earlier_run(folder)
    commit(folder, force=True)
    assert names(folder) == NEW_NAMES
    assert ".bw" in OLD
    assert ".bw" not in NEW


def test_only_what_is_still_as_the_earlier_run_wrote_it_goes(folder):
    earlier_run(folder)
    (folder / "x.bw").write_text("somebody worked on this")
    commit(folder, force=True)
    assert names(folder) == NEW_NAMES | {"x.bw"}
    assert (folder / "x.bw").read_text() == "somebody worked on this"


@pytest.mark.parametrize("name", ["../victim", "victim", ".", "y.csv", "x.parts/key.json", "x.link"])
def test_a_manifest_that_was_tampered_with_makes_no_file_go_that_is_not_named_after_the_prefix(name, folder):
    inner = folder / "inner"
    inner.mkdir()
    for place in (folder / "victim", inner / "victim", inner / "y.csv"):
        place.write_text("old csv")
    (inner / "x.link").symlink_to(inner / "victim")
    text = manifest_of({".csv": "old csv"}).replace('"x.csv"', json.dumps(name))
    assert name in text
    (inner / "x.run.json").write_text(text)
    commit(inner, force=True)
    assert (folder / "victim").exists()
    assert (inner / "victim").exists()
    assert (inner / "y.csv").exists()


def test_an_error_before_the_journal_changes_nothing(folder, monkeypatch):
    earlier_run(folder)

    def full(path, write):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pgf_cli.tracks.output_set.write_atomically", full)
    with pytest.raises(WriteError, match=rf"cannot write .*{JOURNAL}: No space left"):
        commit(folder, force=True)
    assert standing(folder) == "old"
    # The parts are kept, the outputs not, and there is nothing to be finished.
    assert {path.name for path in (folder / "x.parts").iterdir()} >= {"key.json", "000000.tangent.values"}
    assert not (folder / "x.parts" / OUTPUTS).exists()
    with RunFolder.hold(folder / "x") as held:
        assert finish_commit(held) == []


def test_a_journal_that_may_not_be_on_the_disk_is_taken_back(folder, monkeypatch):
    def failing(path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("pgf_cli.atomic.sync_folder", failing)
    with pytest.raises(WriteError, match="Input/output error"):
        commit(folder, force=False)
    assert names(folder) == {"x.parts"}
    assert not (folder / "x.parts" / JOURNAL).exists()


def test_an_error_after_the_journal_loses_nothing_and_the_next_run_finishes(folder, monkeypatch):
    earlier_run(folder)
    replace = Path.replace

    def refusing(source, to):
        if Path(to).name == "x.hits.tsv":
            raise PermissionError(13, "Permission denied")
        return replace(source, to)

    monkeypatch.setattr(Path, "replace", refusing)
    with pytest.raises(WriteError, match=r"cannot write .*x\.hits\.tsv: Permission denied; make it writable"):
        commit(folder, force=True)
    assert standing(folder) == "nothing"
    with pytest.raises(WriteError, match="Permission denied"), RunFolder.hold(folder / "x") as held:
        finish_commit(held)
    monkeypatch.undo()
    with RunFolder.hold(folder / "x") as held:
        assert set(finish_commit(held)) == NEW_NAMES
    assert standing(folder) == "new"
    assert names(folder) == NEW_NAMES


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_not_replaced_and_all_else_waits_for_it(links, folder, monkeypatch):
    link = os.link

    def late(source, to):
        if Path(to).name == "x.hits.tsv" and not Path(to).exists():
            Path(to).write_text("somebody's")
        if not links:
            raise PermissionError(1, "Operation not permitted")
        link(source, to)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(AppearedError, match=r"x\.hits\.tsv appeared .* move it away and give the same command again"):
        commit(folder, force=False)
    monkeypatch.undo()
    assert (folder / "x.hits.tsv").read_text() == "somebody's"
    with pytest.raises(AppearedError), RunFolder.hold(folder / "x") as held:
        finish_commit(held)
    (folder / "x.hits.tsv").unlink()
    with RunFolder.hold(folder / "x") as held:
        assert len(finish_commit(held)) == 4
    assert standing(folder) == "new"


def test_a_file_that_is_gone_is_told_and_no_manifest_vouches_for_it(folder, monkeypatch):
    monkeypatch.setattr("pgf_cli.tracks.output_set._follow", lambda *_: None)
    commit(folder, force=False)
    monkeypatch.undo()
    next((folder / "x.parts" / OUTPUTS).iterdir()).unlink()
    for _ in range(2):
        with pytest.raises(JournalError, match="written, is gone; remove the"), RunFolder.hold(folder / "x") as held:
            finish_commit(held)
    assert standing(folder) == "nothing"


@pytest.mark.parametrize(
    "journal",
    [
        "", "{", "[]", "7", "{}", '{"files": [], "obsolete": [], "force": true}', "[" * 100_000,
        '{"files": [["a", "../b"]], "obsolete": [], "force": true}',
        '{"files": [["a", "b"]], "obsolete": [".."], "force": true}',
        '{"files": [["a", ""]], "obsolete": [], "force": true}',
        '{"files": [["a\\u0000", "b"]], "obsolete": [], "force": true}',
        '{"files": [["a", 7]], "obsolete": [], "force": true}',
        '{"files": [["a", "b", "c"]], "obsolete": [], "force": true}',
    ],
)  # fmt: skip
def test_a_damaged_journal_is_one_line_and_nothing_is_removed(journal, folder):
    parts = folder / "x.parts"
    with RunFolder.hold(folder / "x") as held:
        (parts / "key.json").write_text("{}")
        held.kept = True
    (parts / JOURNAL).write_text(journal)
    with pytest.raises(JournalError, match=r"journal\.json is damaged; remove the folder") as caught:  # noqa: SIM117
        with RunFolder.hold(folder / "x") as held:
            finish_commit(held)
    assert "\n" not in str(caught.value)
    assert (parts / "key.json").exists()


def test_a_dead_run_s_outputs_go_when_the_next_begins_to_write(folder):
    with RunFolder.hold(folder / "x") as held:
        outputs = OutputSet(held, force=False)
        outputs.stage(folder / "x.csv").write_text("half")
        # As a library names what it has not finished.
        (held.path / OUTPUTS / "000000.partial.k3j2.partial").write_text("half")
        held.kept = True
    with RunFolder.hold(folder / "x") as held:
        OutputSet(held, force=False)
        assert list((held.path / OUTPUTS).iterdir()) == []


def test_a_file_elsewhere_is_no_output(folder):
    with RunFolder.hold(folder / "x") as held:
        outputs = OutputSet(held, force=False)
        with pytest.raises(ValueError, match="is not beside"):
            outputs.stage(folder / "inner" / "x.csv")
