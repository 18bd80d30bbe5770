"""A manifest is input: whatever it holds, a report obeys nothing of it, and says in one line what it cannot be."""

import os
import time
from pathlib import Path

import pytest
from report_pages import page

from pgf_cli.tracks.manifest import ManifestError
from pgf_cli.tracks.run_files import find_run

EVIL = "e\x1b]52;c;cm0=\x07\u202e\x9b2J\r[bold]x[/bold]\\"
SHOWN = r"e\x1b]52;c;cm0=\x07\u202e\x9b2J\r[bold]x[/bold]" + "\\"


def strings(value, change):
    """A JSON value with every string in it changed."""
    if isinstance(value, dict):
        return {name: strings(member, change) for name, member in value.items()}
    if isinstance(value, list):
        return [strings(member, change) for member in value]
    return change(value) if isinstance(value, str) else value


@pytest.mark.parametrize("width", [60, 200])
def test_control_characters_and_markup_of_any_string_are_shown_and_not_obeyed(tampered, width):
    def change(manifest):
        outputs = manifest["outputs"]
        manifest |= strings(
            manifest, lambda text: text if text.startswith(("response", "ghost", "contribution")) else text + EVIL
        )
        manifest["outputs"] = outputs
        manifest["dropped"] = 1
        manifest["certificate"]["passed"] = False

    text = page(tampered(change), width)
    assert [c for c in set(text) - {"\n"} if not c.isprintable()] == []
    shown = " ".join(text.split())
    # The mode, the device, a record, the source of the alphabet, a check, the note.
    for what in (
        "both",
        "on cpu",
        "chr1",
        "(from config",
        "pass adjoint identity",
        "and no biology",
    ):
        assert what + SHOWN in shown, what
    assert text.count(SHOWN) > 20


def test_control_characters_of_tables_are_shown_and_not_obeyed(folder):
    evil = EVIL.replace("\r", "")
    for name in ("both.hits.tsv", "both.trace.tsv"):
        path = folder / name
        path.write_text(path.read_text().replace("[", evil + "[").replace("chr1", "chr1" + evil))
    text = page(folder / "both.run.json", 80)
    assert [c for c in set(text) - {"\n"} if not c.isprintable()] == []
    assert "chr1" + SHOWN.replace(r"\r", "") + ":" in text


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "../both.hits.tsv",
        "sub/both.hits.tsv",
        "..",
        ".",
        "",
        "both\0.hits.tsv",
        "x/",
    ],
)
@pytest.mark.parametrize("options", [(), ("--check",)])
def test_outputs_outside_the_folder_are_refused(tampered, report, name, options):
    def change(manifest):
        manifest["outputs"][0]["path"] = name

    result = report(tampered(change), *options)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no plain name of a file in its own folder" in result.stderr
    assert repr(name) in result.stderr
    assert result.stderr.count("\n") == 1


def put(*where_and_value):
    *where, last, value = where_and_value

    def change(manifest):
        for key in where:
            manifest = manifest[key]
        manifest[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("records", 0, "length", "many"), "records.0.length"),
        (put("records", 0, "tracks", "response", "bins", 3), "records.0.tracks.response.bins"),
        (put("records", 7), "records"),
        (put("outputs", 0, "bytes", -1), "a size that no file can have"),
        (put("outputs", 0, "bytes", 10**400), "a size that no file can have"),
        (put("records", 0, "peak_memory_bytes", 10**400), "a size that no file can have"),
        (put("settings", {}), "lacks the setting fasta"),
        (put("outputs", []), "names 0 tables of hits"),
        (put("tracks", []), "which is no track of"),
        (put("certificate", None), "certificate"),
    ],
)
def test_what_no_run_can_have_said_is_refused_in_one_line(tampered, report, change, said):
    result = report(tampered(change))
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
    assert "both.run.json" in result.stderr
    assert result.stderr.count("\n") == 1


def test_numbers_that_are_not_finite_or_very_large_are_printed_as_they_are(tampered, report):
    def change(manifest):
        manifest["records"][0]["tracks"]["response"] |= {"median": float("nan"), "bins": [float("nan"), 1e308, -1e308]}
        manifest["records"][0]["length"] = 10**400
        manifest["mode"] = "sideways"

    result = report(tampered(change))
    assert result.exit_code == 0
    for said in ("sideways sweep of", "median nan", f"{10**400:,}"):
        assert said in result.stdout


def hole(path):
    with path.open("wb") as file:
        file.truncate(2 << 30)


def huge(path):
    with path.open("wb") as file:
        file.write(b"{")
        file.truncate(2 << 30)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_text(""), "does not begin as JSON"),
        (lambda path: path.write_bytes(bytes(range(256))), "does not begin as JSON"),
        (lambda path: path.write_bytes(b"{\xff\xfe"), "it is not text"),
        (lambda path: path.write_text("{}"), "not a run manifest"),
        (lambda path: path.write_text('{"a":' + "[" * 200_000), "not a run manifest"),
        (lambda path: path.write_text('{"schema": ' + "9" * 5000 + "}"), "not a run manifest"),
        (hole, "has 2.1 GB"),
        (huge, "has 2.1 GB"),
        (os.mkfifo, "no ordinary file"),
        (lambda path: path.mkdir(), "no ordinary file"),
        (lambda path: path.symlink_to("nowhere"), "cannot read the manifest"),
    ],
)
def test_what_is_no_manifest_is_refused_at_once(tmp_path, report, make, said):
    make(tmp_path / "x.run.json")
    began = time.monotonic()
    result = report(tmp_path / "x")
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert time.monotonic() - began < 5


def test_folders_and_impossible_names_are_no_runs(finished, report, monkeypatch):
    monkeypatch.chdir(finished)
    for name, said in {
        ".": "in it are behind.run.json, both.run.json, pulses.run.json",
        "..": ".. is a folder, no run",
        "/": "/ is a folder, no run",
        "x" * 4000: "no run found",
    }.items():
        result = report(name)
        assert (result.exit_code, result.stdout) == (1, ""), name[:9]
        assert said in result.stderr
        assert result.stderr.count("\n") == 1
    with pytest.raises(ManifestError, match="no run found"):
        find_run(Path("a\0b"))


def test_tables_that_are_pipes_or_missing_are_said_in_one_line(folder, report):
    for name, make, said in (
        ("both.hits.tsv", None, "both.hits.tsv: there is no such file"),
        ("both.hits.tsv", os.mkfifo, "both.hits.tsv is no ordinary file"),
        ("both.trace.tsv", os.mkfifo, "both.trace.tsv is no ordinary file"),
    ):
        kept = (folder / name).read_bytes()
        (folder / name).unlink()
        if make:
            make(folder / name)
        result = report(folder / "both")
        assert (result.exit_code, result.stdout) == (1, ""), name
        assert said in result.stderr
        assert result.stderr.count("\n") == 1
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_bytes(kept)
