"""`report --check`: what became of a run's files. sha256sum -c is the other judge of the same hashes."""

import json
import os
import shutil
import subprocess

import pytest

from pgf_cli.tracks.verification import check_outputs_of


def flip_a_byte(path):
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)


def into_a_folder(path):
    path.unlink()
    path.mkdir()


def into_a_pipe(path):
    path.unlink()
    os.mkfifo(path)


CHANGES = {
    "ok": (lambda path: None, ""),
    "touched": (lambda path: path.touch(), ""),
    "flipped": (flip_a_byte, "has the same size, other content"),
    "longer": (lambda path: path.write_text(path.read_text() + "x"), "bytes, was written with"),
    "gone": (lambda path: path.unlink(), "was written with"),
    "folder": (into_a_folder, "is no ordinary file any more"),
    "pipe": (into_a_pipe, "is no ordinary file any more"),
    "loop": (lambda path: (path.unlink(), path.symlink_to(path)), "symbolic links"),
}
STATES = {
    "ok": "ok", "touched": "ok", "flipped": "changed", "longer": "changed", "gone": "missing", "folder": "changed",
    "pipe": "changed", "loop": "unreadable",
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("output", ["both.response.bedgraph", "both.hits.tsv", "both.chrom.sizes"])
def test_each_file_is_ok_changed_or_missing(folder, report, monkeypatch, output, change):
    monkeypatch.chdir(folder)
    make, detail = CHANGES[change]
    make(folder / output)
    result = report("both", "--check")
    lines = {line.split()[1]: line for line in result.stdout.splitlines() if line.startswith("  ") and "both." in line}
    listed = [entry["path"] for entry in json.loads((folder / "both.run.json").read_text())["outputs"]]
    assert list(lines) == listed
    for name in listed:
        assert lines[name].split()[0] == (STATES[change] if name == output else "ok"), name
    assert detail in lines[output]
    assert result.exit_code == (STATES[change] != "ok")
    last = result.stdout.splitlines()[-1]
    count = len(listed)
    assert (f"all {count} files are" if STATES[change] == "ok" else f"1 of {count} files are not") in last


def test_another_program_agrees_on_the_hashes(folder):
    flip_a_byte(folder / "both.hits.bed")
    entries = json.loads((folder / "both.run.json").read_text())["outputs"]
    sums = "".join(f"{entry['sha256']}  {entry['path']}\n" for entry in entries)
    judged = subprocess.run(["sha256sum", "-c"], input=sums, cwd=folder, capture_output=True, text=True, check=False)
    states = [f"{state.path.name}: {'OK' if state.state == 'ok' else 'FAILED'}" for state in check_outputs_of(
        folder / "both.run.json"
    )]  # fmt: skip
    assert states == judged.stdout.splitlines()
    assert "both.hits.bed: FAILED" in states


def test_any_file_of_the_run_names_it_and_it_may_have_moved(folder, report, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.move(folder, moved)
    for name in ("both", "both.hits.bed", "both.response.bedgraph", "both.run.json"):
        assert report(moved / name, "--check").exit_code == 0, name


def test_without_check_files_that_are_gone_or_of_another_size_are_marked(folder, report):
    (folder / "both.response.bedgraph").unlink()
    (folder / "both.ghost.bedgraph").write_text("x")
    result = report(folder / "both")
    assert result.exit_code == 0
    [gone] = [line for line in result.stdout.splitlines() if "both.response.bedgraph" in line]
    [other] = [line for line in result.stdout.splitlines() if "both.ghost.bedgraph" in line]
    assert gone.endswith("missing")
    assert "changed: 1 bytes now, " in other
