"""Escape sequences in names, paths, checkpoints and manifests reach no terminal, whatever is printed."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from sequences import random_sequence

import pgf_cli
from pgf_cli.checkpoints import save_checkpoint
from pgf_cli.cli.progress import BarProgress, LineProgress
from pgf_cli.core.models import BaseIds, MambaConfig, MambaLM

EVIL = "\x1b]52;c;cm0=\x07\x9b2J\u202e"
"""Writes the clipboard, clears the screen, turns the direction of writing."""
SHOWN = r"\x1b]52;c;cm0=\x07\x9b2J\u202e"
COLOUR = re.compile(r"\x1b\[[\d;]*m")
"""What a page may send: nothing but colours."""


def assert_clean(text: str) -> str:
    plain = COLOUR.sub("", text)
    harmful = {character for character in plain if not (character.isprintable() or character == "\n")}
    assert not harmful, text
    return plain


def flat(page: str) -> str:
    """Without blanks: at 80 columns a line may be broken anywhere."""
    return re.sub(r"\s+", "", page)


@pytest.fixture
def evil_folder(tmp_path: Path) -> Path:
    folder = tmp_path / f"folder{EVIL}"
    folder.mkdir()
    return folder


@pytest.fixture
def evil_genome(evil_folder: Path) -> Path:
    path = evil_folder / "genome.fa"
    path.write_text(f">chr1{EVIL} first{EVIL}\n{random_sequence(400, 1)}\n>chr2\n{random_sequence(200, 2)}\n")
    return path


@pytest.fixture
def evil_checkpoint(evil_folder: Path) -> Path:
    """Its note, the name of a tensor that is no part of it, and its own name."""
    torch.manual_seed(0)
    config = MambaConfig(8, 2, 16, 4, 4, 2, vocab_size=6)
    ids = BaseIds(0, 1, 2, 3, 4)
    path = evil_folder / "toy.pt"
    save_checkpoint(path, config, MambaLM(config, ids, "logprobs").state_dict(), ids, note=f"note{EVIL}")
    return path


def changed(checkpoint: Path, name: str, **config: Any) -> Path:
    """Write it again with another config."""
    document = torch.load(checkpoint, weights_only=True)
    document["config"].update(config)
    path = checkpoint.with_name(name)
    torch.save(document, path)
    return path


@pytest.fixture
def printed(pgf, monkeypatch):
    """What a command prints on both streams, in colour as on a terminal, after a look at it."""

    def call(*arguments: object) -> str:
        result = pgf(*arguments, FORCE_COLOR="1", COLUMNS="80")
        return assert_clean(result.stdout) + assert_clean(result.stderr)

    return call


def test_run_and_report_show_them_escaped(printed, evil_checkpoint, tmp_path):
    """Control characters in record names are refused; what turns the direction of writing in a path is escaped."""
    folder = tmp_path / "folder\u202e"
    folder.mkdir()
    fasta, model = folder / "genome.fa", folder / "toy.pt"
    fasta.write_text(f">chr1 first{EVIL}\n{random_sequence(400, 1)}\n>chr2\n{random_sequence(200, 2)}\n")
    model.write_bytes(evil_checkpoint.read_bytes())
    command = ("run", fasta, "-m", model, "--hits", "2", "-o", folder / "out")
    assert "folder\\u202e" in printed(*command, "--dry-run")
    page = printed(*command)
    assert "folder\\u202e" in flat(page)
    assert "note" in flat(page)
    assert "folder\\u202e" in flat(printed("report", folder / "out"))
    assert "folder\\u202e" in printed(*command)  # refused: it exists
    fasta.write_text(f">chr1{EVIL}\n{random_sequence(400, 1)}\n")
    assert f"chr1{SHOWN[:4]}" in printed(*command, "--force")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--region", f"chr9{EVIL}:1-5"),
        ("--chrom", f"chr9{EVIL}"),
        ("--pulse", f"chr1{EVIL}:1,000"),
        ("--alphabet", f"A=7{EVIL}"),
        ("--objective", EVIL),
        ("--mode", EVIL),
        (f"--unknown{EVIL}",),
        ("--config", f"{EVIL}.toml"),
        ("-o", f"{EVIL}/{EVIL}/out"),
        ("-m", f"{EVIL}.pt"),
        ("--tile", EVIL),
    ],
)
def test_refusals_of_run_show_them_escaped(printed, evil_genome, evil_checkpoint, arguments):
    said = printed("run", evil_genome, "-m", evil_checkpoint, *arguments)
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_inspect_and_verify_show_them_escaped(printed, evil_genome, evil_checkpoint):
    assert "note" in flat(printed("inspect", evil_checkpoint))
    assert json.loads(printed("inspect", evil_checkpoint, "--json"))["note"].startswith("note")
    assert f"folder{SHOWN}" in flat(printed("verify", evil_checkpoint, evil_genome, "--bases", "16"))
    assert EVIL in json.loads(printed("verify", evil_checkpoint, "--bases", "16", "--json"))["checkpoint"]


@pytest.mark.parametrize(
    "config", [{"note": f"other{EVIL}"}, {EVIL: 1}, {"alphabet": {"A": EVIL}}, {"inner": EVIL}, {"head": EVIL}]
)
def test_a_checkpoint_s_config_shows_them_escaped(printed, evil_checkpoint, config):
    path = changed(evil_checkpoint, "changed.pt", **config)
    printed("inspect", path)
    printed("verify", path, "--bases", "16")
    printed("inspect", path, "--json")


def leaves(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of a JSON document's strings."""
    if isinstance(document, str):
        yield path
    elif isinstance(document, dict | list):
        for at, value in document.items() if isinstance(document, dict) else enumerate(document):
            yield from leaves(value, (*path, at))


def test_a_manifest_that_was_tampered_with_shows_them_escaped(printed, run):
    """A string of each kind in turn."""
    run("--hits", "1", "--chrom", "chr2", "-q")
    manifest = Path("genome.run.json")
    text = manifest.read_text()
    reached = set()
    for place in {(place[0], place[-1]): place for place in leaves(json.loads(text))}.values():
        document = json.loads(text)
        inner = document
        for at in place[:-1]:
            inner = inner[at]
        inner[place[-1]] += EVIL
        manifest.write_text(json.dumps(document))
        if SHOWN in flat(printed("report", "genome")):
            reached.add(place[0])
    assert {"model", "tracks", "records", "certificate", "settings"} <= reached


@pytest.mark.parametrize("progress", [BarProgress, LineProgress])
def test_progress_shows_them_escaped(capsys, monkeypatch, progress):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("pgf_cli.cli.progress.FEWEST_SECONDS", 0.0)
    monkeypatch.setattr("pgf_cli.cli.progress.SHARE", 0.0)
    shown = progress()
    shown.message(f"warning: {EVIL}")
    shown.begin(100)
    shown.advance(50, EVIL)
    shown.end()
    said = assert_clean(capsys.readouterr().err)
    assert f"warning: {SHOWN}\n" in said


PRINTERS = re.compile(r"print|rich\.print|(typer|click)\.(echo|secho)|(rich\.\w+\.)?Console|sys\.\w+\.write\w*")


def test_nobody_prints_but_through_the_guarded_ways():
    """``say``, ``show_line``, ``show_json``, ``show`` and the progress; a console is only ever handed on."""
    root = Path(pgf_cli.__file__).parent
    guarded = {root / "cli" / "streams.py", root / "cli" / "output.py", root / "cli" / "progress.py"}
    found = []
    for path in sorted(set(root.rglob("*.py")) - guarded):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if PRINTERS.fullmatch(name):
                found.append(f"{path.relative_to(root)}:{node.lineno}: {name}")
    assert not found
