"""``pgf-sensitivity inspect``; expectations are counted by hand from the sizes of the checkpoints written here."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from rich.console import Console
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
    assert (memory["tangent"]["snapshots"], memory["adjoint"]["snapshots"]) == (0, 256_000_000)
    assert memory["both"] == memory["adjoint"]


def test_the_page_names_what_people_ask_for(checkpoint):
    page = inspect(checkpoint, "--tile", 4096)
    assert page.exit_code == 0
    lines = {line[2:17].strip(): line[17:].strip() for line in page.stdout.splitlines()[1:]}
    assert lines["family"] == "mamba, in the layout of pgf-sensitivity"
    assert lines["sizes"] == "d_model 6, n_layer 2, d_inner 10, d_state 3, d_conv 4, dt_rank 2, vocab_size 5"
    assert lines["parameters"] == f"{PARAMETERS}, stored as float16"
    assert lines["alphabet"] == "A = 0, C = 1, G = 2, T = 3, N = 4 (from config)"
    assert lines["head"] == "the embedding (tied)"
    assert lines["output layers"] == "logprobs (default), logits, hidden"
    assert lines["note"] == "for [tests] only"
    assert lines["ignored tensors"] == "score.weight"
    assert lines["between tiles"].startswith("a state of 480 bytes, and 480 bytes more for each tangent direction")
    assert "tile 4,096" in lines["memory"]
    assert lines["tangent"].startswith("about ")
    assert lines["adjoint"].endswith("at most 256.0 MB of it snapshots")


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


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_refused_file_is_one_line_on_stderr_and_exit_1(tmp_path, options):
    (tmp_path / "config.json").write_text('{"model_type": "caduceus"}')
    for path, expected in ((tmp_path, "model_type 'caduceus' is not supported"), (tmp_path / "none", "no such")):
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
