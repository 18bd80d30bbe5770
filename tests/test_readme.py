"""The README tells the truth: its examples run as they stand, its options exist, and CI calls its test command."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.main import get_command

from pgf_cli.checkpoints import save_checkpoint
from pgf_cli.cli.app import app
from pgf_cli.cli.exits import ExitStatus
from pgf_cli.core.models import BaseIds, MambaConfig, MambaLM

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)

# Stands in for UCSC's program: bigtools' own writer, which refuses what is not sorted or overlaps.
BEDGRAPH_TO_BIGWIG = """#!{python}
import sys
import pybigtools
track, sizes, out = sys.argv[1:]
lengths = dict((name, int(length)) for name, length in (line.split() for line in open(sizes)))
rows = [line.split() for line in open(track)]
keys = [(row[0], int(row[1])) for row in rows]
assert keys == sorted(keys), "not sorted"
file = pybigtools.open(out, "w")
file.write(lengths, ((row[0], int(row[1]), int(row[2]), float(row[3])) for row in rows))
"""


PYTHON = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def block(containing):
    (found,) = [text for text in BLOCKS if containing in text]
    return found


@pytest.fixture
def shell(tmp_path):
    """A folder with what the examples name, and the commands they call on the PATH."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in (
        ("pgf-sensitivity", f'#!/bin/sh\nexec {sys.executable} -m pgf_cli "$@"\n'),
        ("bedGraphToBigWig", BEDGRAPH_TO_BIGWIG.format(python=sys.executable)),
    ):
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    folder = tmp_path / "here"
    (folder / "chromosomes").mkdir(parents=True)
    (folder / "tracks").mkdir()
    generator = np.random.default_rng(0)
    records = {name: "".join(generator.choice(list("ACGT"), 600)) for name in ("chr2", "chr10", "chr1", "chrM")}
    for name, sequence in records.items():
        (folder / "chromosomes" / f"{name}.fa").write_text(f">{name} a record\n{sequence}\n")
    (folder / "genome.fa").write_text("".join(f">{name} a record\n{text}\n" for name, text in records.items()))
    torch.manual_seed(0)
    config = MambaConfig(d_model=4, n_layer=1, d_inner=8, d_state=2, d_conv=4, dt_rank=1, vocab_size=5)
    ids = BaseIds(0, 1, 2, 3, 4)
    save_checkpoint(folder / "model.safetensors", config, MambaLM(config, ids, "logprobs").state_dict(), ids)

    def call(script):
        environment = os.environ | {"PATH": f"{commands}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        return folder, result

    return call


def test_the_shell_loop_makes_a_track_per_file_and_names_the_one_that_fails(shell):
    shell("echo '>bad\nAC!GT' > chromosomes/bad.fa")
    folder, result = shell(block("for fasta in"))
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1] == "chromosomes/bad.fa: exit code 1"
    tracks = sorted((folder / "tracks").glob("*.response.bedgraph"))
    assert [path.name for path in tracks] == [f"chr{name}.response.bedgraph" for name in ("1", "10", "2", "M")]
    before = {path: path.stat().st_mtime_ns for path in tracks}
    for left in (folder / "tracks").glob("chr2.*"):
        left.unlink()
    shell(block("for fasta in"))
    assert [path.name for path in tracks if path.stat().st_mtime_ns != before[path]] == ["chr2.response.bedgraph"]


def test_xargs_on_one_fasta_without_an_index_then_sorted_for_ucsc(shell):
    folder, result = shell(block("xargs -P 4"))
    assert (result.stdout, result.stderr) == ("", "")
    assert len(list((folder / "by_record").glob("*.run.json"))) == 4
    shell(block("LC_ALL=C sort"))
    import pybigtools

    with pybigtools.open(str(folder / "genome.bw")) as bigwig:
        assert dict(bigwig.chroms()) == {"chr2": 600, "chr10": 600, "chr1": 600, "chrM": 600}
        stored = bigwig.values("chr10", fillna=0)
    lines = (folder / "by_record" / "chr10.response.bedgraph").read_text().splitlines()
    np.testing.assert_array_equal(stored, np.array([line.split()[3] for line in lines], dtype=np.float32))


def test_the_pulse_example_writes_a_track_per_pulse(shell):
    sequence = "ACG" * 200
    folder, _ = shell(f"printf '>chr1\\n{sequence}\\n' > chr1.fa")
    shell(block("--separate"))
    tracks = sorted(path.name for path in folder.glob("pulses.response.*"))
    assert tracks == ["pulses.response.chr1_150.bedgraph", "pulses.response.chr1_300_T.bedgraph"]


def test_track_line_and_json_examples(shell):
    folder, _ = shell(block("--track-line"))
    assert (folder / "upload.response.bedgraph").read_text().startswith("track type=bedGraph")
    _, result = shell(block("--json"))
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["chr2", "chr10", "chr1", "chrM"]


def test_the_python_section_runs_and_gives_the_command_s_numbers(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (section,) = PYTHON
    assert len([line for line in section.splitlines() if line]) <= 11
    said = {}
    exec(section, said)
    s, run = said["s"], said["run"]
    assert "(1300,)" in capsys.readouterr().out
    assert np.isnan(s.contribution).sum() == 100
    assert s.ghost[-3] > 0
    assert s.certificate.passed
    assert run.manifest_path == Path("mt/human_MT.run.json")
    assert len(run.tracks["contribution"]) == 3999
    assert set(run.hits["track"]) == {"response", "ghost", "contribution"}
    (tmp_path / "string.fa").write_text(f">string\n{'ACGTTGCATAGGTAAGTCCATGCANN' * 50}\n")
    settings = said["pgf_cli"].RunSettings(fasta="string.fa", model=said["checkpoint"])
    written = said["pgf_cli"].run(settings).tracks["contribution"]["value"]
    assert written.to_numpy().astype(np.float32).tobytes() == s.contribution[~np.isnan(s.contribution)].tobytes()


@pytest.mark.parametrize("page", ["README.md", "CHANGES.md", "docs/architecture.md", "docs/response-and-ghost.md"])
def test_every_option_that_is_named_exists(page):
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]\b", (ROOT / page).read_text()))
    assert sorted(named - options_of(get_command(app)) - {"--help"}) == []


def options_of(command):
    """Every long option of a command and of those below it."""
    own = {name for each in command.params for name in each.opts + each.secondary_opts}
    return own.union(*(options_of(each) for each in getattr(command, "commands", {}).values()))


def test_the_exit_codes_are_those_of_the_command_line():
    (said,) = re.findall(r"\*\*Exit codes:\*\*(.*?)\n\n", (ROOT / "README.md").read_text(), re.DOTALL)
    words = ("done", "failed", "wrong usage", "done but the certificate failed", "interrupted", "terminated")
    for status, word in zip(ExitStatus, words, strict=True):
        assert f" {status:d} {word}" in said.replace("\n", " ")


def test_ci_calls_the_test_command_of_the_readme():
    assert block(".venv/bin/pytest").strip() in (ROOT / ".ci" / "run").read_text().splitlines()


def test_every_package_that_is_required_has_a_tested_version():
    constrained = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}
    required = re.findall(r'"([a-z-]+)>=', (ROOT / "pyproject.toml").read_text())
    # The build back end is installed into an environment of its own, which constraints do not reach.
    assert set(required) - {"hatchling"} <= constrained


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not installed")
def test_sample_data_is_what_its_readme_says():
    text = (ROOT / "sample_data" / "README.md").read_text()
    sums = "\n".join(line.strip() for line in text.splitlines() if re.match(r"    [0-9a-f]{64}  ", line))
    checked = subprocess.run(
        ["sha256sum", "-c", "-"],
        input=sums + "\n",
        cwd=ROOT / "sample_data",
        capture_output=True,
        text=True,
        check=True,
    )
    assert checked.stdout.count(": OK") == 8
