"""Orthrus: what is read off its files, and what is said of tracks that a FASTA does not have."""

import pytest
import torch
from causal_files import FILES, ORTHRUS_HEAD
from hub_files import edit_json
from typer.testing import CliRunner

from pgf_cli.checkpoints import CheckpointError, read_checkpoint, save_checkpoint
from pgf_cli.cli.app import app
from pgf_cli.core.models import MambaConfig
from pgf_cli.errors import UsageError

NAMES = [name for name in FILES if name.startswith("Orthrus")]
CPU = torch.device("cpu")


def write(name, folder, **changes):
    return FILES[name].write(folder, FILES[name].tensors() | changes)


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_file_gives_the_same_model(name, tmp_path):
    checkpoint = read_checkpoint(write(name, tmp_path))
    tensors = FILES[name].tensors()
    sizes = {"d_model": 8, "n_layer": 2, "d_inner": 12, "d_state": 4, "d_conv": 4, "dt_rank": 2}
    tracks = tensors["embedding.weight"].shape[1]
    kind = {"head": False, "tied": False, "layer_norm": True, "one_hot": True}
    assert checkpoint.config == MambaConfig(**sizes, vocab_size=tracks, **kind)
    assert (checkpoint.architecture, checkpoint.layout, checkpoint.base_ids) == ("mamba", "Orthrus", None)
    assert checkpoint.tensors.keys() == tensors.keys()
    assert all(torch.equal(checkpoint.tensors[key], tensor) for key, tensor in tensors.items())
    assert (checkpoint.note is not None) == (tracks == 6)
    assert set(ORTHRUS_HEAD) <= set(checkpoint.ignored) or "Lightning" not in name


def test_tracks_that_a_fasta_does_not_have_are_named_by_inspect_and_run(tmp_path):
    path = write("Orthrus, pt", tmp_path)
    (tmp_path / "x.fa").write_text(">x\nACGTTGCANNACGT\n")
    arguments = ["run", str(tmp_path / "x.fa"), "-m", str(path), "-o", str(tmp_path / "x"), "--dtype", "float64"]
    for command in (["inspect", str(path)], arguments):
        shown = " ".join(CliRunner().invoke(app, command, env={"COLUMNS": "300"}).output.split())
        assert "the tracks of codon starts (CDS) and splice sites are not in a FASTA and are read as 0" in shown


def test_n_is_the_zero_vector_and_the_bias_has_no_derivative(tmp_path):
    model = read_checkpoint(write("Orthrus, pt", tmp_path)).build(None, torch.float64, CPU)
    assert model.reads_n
    x, n = torch.zeros(1, 5, dtype=torch.float64), torch.eye(5, dtype=torch.float64)[4:]
    state = model.initial_state(x[:0])
    assert torch.equal(model(x, state)[0], model(n, state)[0])
    still, ones = model.initial_jvp(x[:0], x[None, :0]), torch.ones(1, 1, 5, dtype=torch.float64)
    assert torch.all(model.jvp(n, 0 * ones, *still).y_dot == 0)
    assert torch.all(model.jvp(n, n[None], *still).y_dot == 0)
    assert torch.any(model.jvp(n, ones, *still).y_dot != 0)


def failure(path, kind=CheckpointError, alphabet=None):
    with pytest.raises(kind) as caught:
        read_checkpoint(path, alphabet)
    return str(caught.value)


def test_what_cannot_be_is_named(tmp_path):
    folder = write("Orthrus, 6 tracks, folder", tmp_path)
    edit_json(folder / "config.json", n_tracks=4)
    assert "n_tracks = 4, but in" in failure(folder)
    path = write("Orthrus, pt", tmp_path, **{"embedding.weight": torch.zeros(8, 3)})
    assert "embedding.weight has 3 columns, expected 4" in failure(path)
    path = write("Orthrus, pt", tmp_path, **{"layers.0.mixer.mamba_rev.A_log": torch.zeros(12, 4)})
    assert "layers.0.mixer.mamba_rev.A_log is of an Orthrus that reads in both directions" in failure(path)
    path = write("Orthrus, pt", tmp_path)
    assert failure(path, UsageError, "A=0,C=1,G=2,T=3").startswith("--alphabet: ")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_our_own_format_holds_it_and_has_no_alphabet_for_it(suffix, tmp_path):
    first = read_checkpoint(write("Orthrus, pt", tmp_path))
    save_checkpoint(tmp_path / f"own{suffix}", first.config, first.tensors, None)
    again = read_checkpoint(tmp_path / f"own{suffix}")
    assert (again.config, again.base_ids, again.layout) == (first.config, None, "pgf-sensitivity")
    assert again.tensors_sha256 == first.tensors_sha256
