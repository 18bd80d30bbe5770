"""A small genome, a small checkpoint, and the command line as a function."""

from pathlib import Path

import pytest
import torch
from sequences import random_sequence
from typer.testing import CliRunner, Result

from pgf_cli.checkpoints import save_checkpoint
from pgf_cli.cli.app import app
from pgf_cli.core.models import BaseIds, MambaConfig, MambaLM


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    """Two records: chr1 with a run of N and every kind of letter, chr2 plain."""
    chr1 = list(random_sequence(900, 1))
    chr1[300:340] = "N" * 40
    chr1[500:520] = "".join(chr1[500:520]).lower()
    chr1[600], chr1[601] = "R", "U"
    path = tmp_path / "genome.fa"
    lines = ["".join(chr1)[at : at + 60] for at in range(0, 900, 60)]
    chr2 = random_sequence(400, 2)
    path.write_text(">chr1 first\n" + "\n".join(lines) + f"\n>chr2\n{chr2}\n")
    return path


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = MambaConfig(d_model=8, n_layer=2, d_inner=16, d_state=4, d_conv=4, dt_rank=2, vocab_size=6)
    ids = BaseIds(0, 1, 2, 3, 4)
    path = tmp_path / "toy.safetensors"
    model = MambaLM(config, ids, "logprobs").requires_grad_(False)
    for block in model.blocks:
        # Small steps, so that an effect is still felt hundreds of bases on.
        block.mixer.dt_proj.bias.fill_(-5.0)
    save_checkpoint(path, config, model.state_dict(), ids, note="random weights, toy")
    return path


@pytest.fixture
def pgf(tmp_path, monkeypatch):
    """Call the command line in an empty folder; returns what it printed and its exit code."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def call(*arguments: object, **environment: str) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], env=environment)

    return call


@pytest.fixture
def run(pgf, genome, checkpoint):
    """``pgf-sensitivity run`` on the small genome with the small checkpoint; fails the test unless it succeeds."""

    def call(*arguments: object, **environment: str) -> Result:
        result = pgf("run", genome, "--model", checkpoint, *arguments, **environment)
        assert result.exit_code == 0, result.output
        return result

    return call
