"""``pgf-sensitivity inspect``; expectations are counted by hand from the sizes of the checkpoints written here."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import save_file
from typer.testing import CliRunner

from pgf_cli.checkpoints import inspect_checkpoint, save_checkpoint
from pgf_cli.cli.app import app
from pgf_cli.core.models import BaseIds, MambaConfig, MambaLM
from pgf_cli.reports import print_inspection

CONFIG = MambaConfig(d_model=6, n_layer=2, d_inner=10, d_state=3, d_conv=4, dt_rank=2, vocab_size=5)
# Embedding 5 x 6, final norm 6, and twice: norm 6, A_log 10 x 3, D 10, in_proj 20 x 6, conv1d 10 x 4 + 10,
# x_proj (2 + 3 + 3) x 10, dt_proj 10 x 2 + 10, out_proj 6 x 10.
PARAMETERS = 30 + 6 + 2 * (6 + 30 + 10 + 120 + 50 + 80 + 30 + 60)
STATE = 2 * (10 * 3 + 3 * 10)


def inspect(*arguments):
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)])


def write(path, config=CONFIG, dtype=torch.float32, **extra):
    torch.manual_seed(0)
    tensors = {
        name: tensor.to(dtype)
        for name, tensor in MambaLM(config, BaseIds(0, 1, 2, 3, 4), "hidden").state_dict().items()
    }
    save_checkpoint(path, config, tensors | extra, BaseIds(0, 1, 2, 3, 4), "for [tests] only")
    return path


@pytest.fixture
def checkpoint(tmp_path):
    return write(tmp_path / "model.pt", dtype=torch.float16, **{"score.weight": torch.zeros(2, 6)})


def test_json_says_everything_in_numbers(checkpoint):
    found = json.loads(inspect(checkpoint, "--json", "--dtype", "float64", "--tile", 100).stdout)
    assert found["architecture"] == "mamba"
    assert found["layout"] == "pgf-sensitivity"
    assert found["files"] == [str(checkpoint)]
    assert (found["sizes"]["n_layer"], found["sizes"]["d_model"], found["parameters"]) == (2, 6, PARAMETERS)
    assert found["file_dtypes"] == ["float16"]
    assert (found["alphabet"], found["alphabet_source"]) == ({"A": 0, "C": 1, "G": 2, "T": 3, "N": 4}, "config")
    assert (found["head"], found["output_layers"]) == ("tied", ["logprobs", "logits", "hidden"])
    assert (found["note"], found["ignored"]) == ("for [tests] only", ["score.weight"])
    assert found["state_bytes"] == {"primal": STATE * 8, "tangent": STATE * 8}
    memory = found["memory_bytes"]
    # The file's half-precision tensors stay beside the model's own.
    assert (memory["dtype"], memory["tile"], memory["weights"]) == ("float64", 100, PARAMETERS * (8 + 2))
    for mode in ("tangent", "adjoint", "both"):
        takes = memory[mode]
        assert takes["total"] == memory["weights"] + takes["working"] + takes["snapshots"]
    # 10,000 tiles of the default million bases.
    assert (memory["tangent"]["snapshots"], memory["adjoint"]["snapshots"]) == (0, 9_999 * STATE * 8)
    assert memory["both"] == memory["adjoint"]
    assert (found["lengths"], found["traversal"]) == ({"bases": 1_000_000, "longest": 1_000_000}, "one sweep")
    assert found["objectives"] == ["loglik", "sum", "logit:J"]
    assert found["recognised_by"] == "architecture = 'mamba'"
    assert found["disk_bytes"]["both"]["unfinished"] == 3 * 8 * 1_000_000


def test_the_page_names_what_people_ask_for(checkpoint):
    page = inspect(checkpoint, "--tile", 4096)
    assert page.exit_code == 0
    lines = {line[2:17].strip(): line[17:].strip() for line in page.stdout.splitlines()[1:]}
    assert lines["family"] == "mamba, in the layout of pgf-sensitivity"
    assert lines["sizes"] == "d_model 6, n_layer 2, d_inner 10, d_state 3, d_conv 4, dt_rank 2, vocab_size 5"
    assert lines["recognised by"] == "architecture = 'mamba'"
    assert lines["sweep"].startswith("one, from left to right: causal")
    assert lines["parameters"] == f"{PARAMETERS}, stored as float16, computed in float32"
    assert lines["objectives"] == "loglik (default), sum, logit:J; J: a base or a row of the head"
    assert lines["alphabet"] == "A = 0, C = 1, G = 2, T = 3, N = 4 (from config)"
    assert lines["head"] == "the embedding (tied)"
    assert lines["output layers"] == "logprobs (default), logits, hidden"
    assert lines["note"] == "for [tests] only"
    assert lines["ignored tensors"] == "score.weight"
    assert lines["between tiles"].startswith("a state of 480 bytes, and 480 bytes more for each tangent direction")
    assert "tile 4,096" in lines["memory"]
    assert "records of up to 1,000,000 bases" in lines["memory"]
    assert lines["disk"].startswith("for 1,000,000 bases")
    rows = [line[17:].strip() for line in page.stdout.splitlines() if line.split()[:1] == ["adjoint"]]
    memory, disk = rows
    assert memory.endswith(" of it snapshots")
    assert disk.endswith("4.0 MB more until the run is complete")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_word_is_there_at_any_width(checkpoint, width, monkeypatch):
    monkeypatch.chdir(checkpoint.parent)
    inspection = inspect_checkpoint(Path(checkpoint.name), None, 64, "float32")

    def page(columns):
        console = Console(file=io.StringIO(), width=columns)
        print_inspection(inspection, console)
        return console.file.getvalue()

    lines = page(width).splitlines()[1:]
    assert all(len(line) <= width for line in lines)
    # What does not fit goes on below its column, not below the names.
    assert all(line.startswith("  ") for line in lines)
    assert page(width).split() == page(1_000).split()


def test_a_larger_tile_needs_more_and_a_headless_model_has_one_output(tmp_path, checkpoint):
    small, large = (json.loads(inspect(checkpoint, "--json", "--tile", tile).stdout) for tile in (100, 10_000))
    for mode in ("tangent", "adjoint"):
        assert large["memory_bytes"][mode]["working"] > 50 * small["memory_bytes"][mode]["working"]
    assert large["state_bytes"] == small["state_bytes"]
    headless = write(tmp_path / "headless.pt", MambaConfig(6, 2, 10, 3, 4, 2, 5, head=False))
    found = json.loads(inspect(headless, "--json").stdout)
    assert (found["head"], found["output_layers"]) == ("none", ["hidden"])


def test_the_paper_s_operator(tmp_path):
    sizes = {
        "A_log": (3,), "D": (4,), "redshift_scale": (), "dt_proj.weight": (4, 4), "dt_proj.bias": (4,),
        "B_proj.weight": (3, 4), "B_proj.bias": (3,), "C_proj.weight": (3, 4), "C_proj.bias": (3,),
        "init_estimator.weight": (12, 8), "init_estimator.bias": (12,),
    }  # fmt: skip
    torch.save({name: torch.ones(shape) for name, shape in sizes.items()}, tmp_path / "operator.pt")
    found = json.loads(inspect(tmp_path / "operator.pt", "--json").stdout)
    assert (found["architecture"], found["layout"]) == ("frechet", "the paper's state dict")
    assert found["sizes"] == {"d_model": 4, "d_state": 3, "window": 2, "embedded": False, "projection_bias": True}
    assert (found["head"], found["output_layers"]) == ("none", ["hidden"])
    assert found["alphabet"] == {"A": 0, "C": 1, "G": 2, "T": 3}
    assert found["state_bytes"] == {"primal": 48, "tangent": 48}
    page = inspect(tmp_path / "operator.pt")
    assert "embedded no" in page.stdout
    assert "N is the zero vector" in page.stdout
    refused = inspect(tmp_path / "operator.pt", "--alphabet", "A=0,C=1,G=2,T=3")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith("error: --alphabet: ")


def test_the_alphabet_option_is_shown_as_its_source(checkpoint):
    found = json.loads(inspect(checkpoint, "--json", "--alphabet", "A=3,C=2,G=1,T=0").stdout)
    assert (found["alphabet"], found["alphabet_source"]) == ({"A": 3, "C": 2, "G": 1, "T": 0}, "--alphabet")


def test_estimates_are_for_the_length_that_was_asked(checkpoint, tmp_path):
    (tmp_path / "g.fa").write_text(">a\n" + "ACGT" * 100 + "\n>b\n" + "ACGT" * 50 + "\n")
    by_fasta, by_length, long = (
        json.loads(inspect(checkpoint, *options, "--tile", 64, "--json").stdout)
        for options in ((tmp_path / "g.fa",), ("--length", 400), ("--length", 10**9))
    )
    assert by_fasta["lengths"] == {"bases": 600, "longest": 400}
    assert by_fasta["memory_bytes"] == by_length["memory_bytes"]
    # 7 tiles walk back with 6 snapshots of the state, and no length takes more than the budget.
    assert by_length["memory_bytes"]["adjoint"]["snapshots"] == 6 * STATE * 4
    assert 255_000_000 < long["memory_bytes"]["adjoint"]["snapshots"] <= 256_000_000
    tracks = [each["disk_bytes"]["both"]["tracks"] for each in (by_length, by_fasta, long)]
    assert tracks[0] < tracks[1] < tracks[2]
    assert inspect(checkpoint, "--length", 0).exit_code == 2


def test_the_disk_is_what_a_run_s_own_files_take(checkpoint, tmp_path, monkeypatch):
    """The estimate against the bytes that a run writes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g.fa").write_text(">chr1\n" + "ACGTTGCA" * 500 + "\n")
    done = CliRunner().invoke(app, ["run", "g.fa", "-m", str(checkpoint), "--tile", "64", "--probe-depth", "0", "-q"])
    assert done.exit_code == 0, done.output
    written = sum(path.stat().st_size for path in tmp_path.glob("g.*.bedgraph"))
    found = json.loads(inspect(checkpoint, "--length", 4000, "--json").stdout)
    assert found["disk_bytes"]["both"]["tracks"] == pytest.approx(written, rel=0.25)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_refusal_is_a_page_the_line_of_run_and_exit_1(tmp_path, suffix):
    path = tmp_path / f"hyena{suffix}"
    names = ("filter_fn.bias", "filter_fn.implicit_filter.0.weight", "in_proj.weight")
    tensors = {f"backbone.layers.{i}.mixer.{name}": torch.ones(2) for i in range(2) for name in names}
    (torch.save if suffix == ".pt" else save_file)(tensors, path)
    page = inspect(path)
    assert page.exit_code == 1
    (tmp_path / "g.fa").write_text(">a\nACGT\n")
    run = CliRunner().invoke(app, ["run", str(tmp_path / "g.fa"), "-m", str(path), "-o", str(tmp_path / "out")])
    assert (run.exit_code, run.stderr.splitlines()[-1]) == (1, page.stderr.strip())
    assert page.stderr.startswith(f"error: {path}: backbone.layers.0.mixer.filter_fn is an implicit long convolution")
    lines = {line[2:15].strip(): line[15:].strip() for line in page.stdout.splitlines()[1:]}
    assert lines["refused"] == "it is HyenaDNA"
    assert lines["recognised by"] == "tensor backbone.layers.0.mixer.filter_fn.bias"
    assert lines["layer"] == "backbone.layers.0.mixer.filter_fn: an implicit long convolution"
    assert lines["why"].startswith("Its filter is as long as the sequence")
    assert lines["instead"].startswith("Take a model whose layers are recurrences")
    assert "2 x backbone.layers.#.mixer.in_proj.weight (2,)" in page.stdout
    found = json.loads(inspect(path, "--json").stdout)["refused"]
    assert (found["recognised_as"], found["layer"]) == ("HyenaDNA", lines["layer"])


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_file_that_cannot_be_read_is_one_line_on_stderr_and_exit_1(tmp_path, options):
    (tmp_path / "empty.pt").touch()
    for path, expected in ((tmp_path / "empty.pt", "is empty"), (tmp_path / "none", "no such")):
        result = inspect(path, *options)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("error: ")
        assert expected in result.stderr
        assert result.stderr.count("\n") == 1


def test_a_tile_of_nothing_is_wrong_usage(checkpoint):
    assert inspect(checkpoint, "--tile", 0).exit_code == 2


def test_help_answers_without_importing_torch():
    script = (
        "import sys\nfrom typer.testing import CliRunner\nfrom pgf_cli.cli.app import app\n"
        "assert 'memory' in CliRunner().invoke(app, ['inspect', '--help']).stdout\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
