import csv
import json
import subprocess
import sys

import pytest

TOML = """
[model]
channels = 4
layers = 1
state = 2
[data]
held-out = ["chr2:301-400"]
sample-length = 50
[optimiser]
steps = 4
batch = 2
learning-rate = 0.01
save-every = 2
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "train.toml"
    path.write_text(TOML)
    return path


def test_train_writes_a_checkpoint_that_run_takes_its_log_and_its_state(pgf, genome, config, tmp_path):
    result = pgf("train", genome, "--config", config, "-o", "small.safetensors", "--threads", 1)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "samples an epoch" in result.stderr
    assert "step 4: held-out loss " in result.stderr
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == [
        "small.safetensors", "small.train.csv", "small.train.pt",
    ]  # fmt: skip
    with (tmp_path / "work" / "small.train.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert all(1.5 < float(row["loss"]) < 2.5 for row in rows)
    inspected = json.loads(pgf("inspect", "small.safetensors", "--json").stdout)
    assert inspected["note"].startswith("step 4 of 4 of training on 400 bases of genome.fa, ")
    assert pgf("run", genome, "--model", "small.safetensors", "--region", "chr2", "-q").exit_code == 0


def test_quiet_is_quiet_and_resuming_a_finished_run_changes_nothing(pgf, genome, config, tmp_path):
    command = ("train", genome, "--config", config, "-o", "small.pt", "-q")
    assert pgf(*command).output == ""
    before = {path.name: path.read_bytes() for path in (tmp_path / "work").iterdir()}
    resumed = pgf(*command[:-1], "--resume")
    assert resumed.exit_code == 0
    assert "going on after step 4 of 4" in resumed.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "work").iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("-o", "x.safetensors", "--resume", "--force"), 2, "give one of them"),
        (("-o", "x.bin"), 1, "a checkpoint's name must end in .safetensors or .pt"),
        (("-o", "none/x.pt"), 1, "does not exist; create it"),
        (("-o", "x.pt", "--resume"), 1, "there is nothing to resume"),
    ],
)
def test_what_is_wrong_is_one_line_and_an_exit_code(pgf, genome, config, arguments, status, said):
    result = pgf("train", genome, "--config", config, *arguments)
    assert result.exit_code == status
    assert said in result.stderr.splitlines()[-1]
    assert result.stderr.splitlines()[-1].startswith("error: ")


def test_an_unknown_key_is_wrong_usage_and_a_held_out_region_must_exist(pgf, genome, config):
    config.write_text(TOML.replace("state", "stat"))
    result = pgf("train", genome, "--config", config, "-o", "x.pt")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "[model]: 'stat' is unknown; did you mean state?" in result.stderr
    config.write_text(TOML.replace("chr2", "chr9"))
    result = pgf("train", genome, "--config", config, "-o", "x.pt")
    assert "has no record 'chr9'" in result.stderr


def test_an_interrupt_says_how_to_go_on(pgf, genome, config, monkeypatch):
    from pgf_cli.training import fit

    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fit, "set_gradients", interrupt)
        result = pgf("train", genome, "--config", config, "-o", "x.pt", "-q")
    assert result.exit_code == 130
    assert "with --resume to go on" in result.stderr
    assert pgf("train", genome, "--config", config, "-o", "x.pt", "-q", "--resume").exit_code == 0


def test_help_answers_without_importing_torch():
    script = (
        "import sys\nfrom typer.testing import CliRunner\nfrom pgf_cli.cli.app import app\n"
        "assert 'gradients' in CliRunner().invoke(app, ['train', '--help']).stdout\n"
        "assert 'Markov' in CliRunner().invoke(app, ['evaluate', '--help']).stdout\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
