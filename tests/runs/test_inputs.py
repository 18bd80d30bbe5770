"""A run reads the files that it began with, or ends without outputs."""

import hashlib
import json

import pytest
from toy_runs import Watch, listing, save_toy_model, written

from pgf_cli.runs.inputs import InputChangedError


def rewrite(path):
    """Other bases, as many, in the same file."""
    path.write_text(path.read_text().translate(str.maketrans("ACGT", "GTAC")))


def replace(path):
    """The same name, another file."""
    other = path.with_suffix(".other")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def remove(path):
    path.unlink()


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """The FASTA is read 16 bases at a time, so that a change is read."""
    monkeypatch.setattr("pgf_cli.genome.blocks.BLOCK_BASES", 16)


@pytest.mark.parametrize(
    ("change", "after"), [(rewrite, 0), (rewrite, 300), (rewrite, 1200), (replace, 300), (remove, 300)]
)
def test_a_fasta_that_changes_in_mid_run_ends_it_without_outputs(change, after, toy, toy_run, tmp_path):
    fasta, output = toy / "genome.fa", tmp_path / "out" / "run"
    with pytest.raises(InputChangedError, match=r"genome\.fa was changed or replaced") as caught:
        toy_run(output, Watch(after=after, do=lambda: change(fasta)))
    assert "\n" not in str(caught.value)
    assert listing(output.parent) == []


def test_nothing_that_was_read_from_a_changed_fasta_is_gone_on_from(toy, toy_run, tmp_path):
    fasta, output, options = toy / "genome.fa", tmp_path / "out" / "run", {"segment": 64, "mode": "tangent"}
    text = fasta.read_text()
    with pytest.raises(InputChangedError):
        toy_run(output, Watch(after=300, do=lambda: rewrite(fasta)), **options)
    assert listing(output.parent) == ["run.parts"]
    fasta.write_text(text)
    watch = Watch()
    resumed = toy_run(output, watch, resume=True, **options)
    # What was saved before the change.
    assert 200 < watch.done <= 300
    assert written(resumed) == written(toy_run(tmp_path / "whole" / "run", mode="tangent"))


def test_a_checkpoint_that_is_replaced_in_mid_run_ends_it_without_outputs(toy, toy_run, tmp_path):
    output, model = tmp_path / "out" / "run", toy / "model.safetensors"
    with pytest.raises(InputChangedError, match=r"model\.safetensors was changed or replaced"):
        toy_run(output, Watch(after=300, do=lambda: save_toy_model(model, seed=1)))
    assert listing(output.parent) == []


def test_the_manifest_has_the_hashes_of_the_bytes_that_were_read(toy, toy_run, tmp_path):
    manifest = toy_run(tmp_path / "out" / "run", mode="tangent")
    named = {entry["path"]: entry for entry in json.loads(manifest.read_text())["inputs"]}
    files = [toy / "genome.fa", toy / "model.safetensors"]
    assert list(named) == [str(path) for path in files]
    for path in files:
        content = path.read_bytes()
        assert named[str(path)]["sha256"] == hashlib.sha256(content).hexdigest()
        assert named[str(path)]["bytes"] == len(content)
