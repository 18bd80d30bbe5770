"""The main job against an independent model: forward-mode differentiation of transformers' Mamba in float64."""

import numpy as np
import pytest
import torch
from torch.func import jvp
from typer.testing import CliRunner

from pgf_cli.cli.app import app


@pytest.fixture(scope="module")
def expected(oracle):
    """Response in float64: the derivative of the log-probabilities along x - 1/4, with N's row constant."""
    v = torch.where(oracle.x[:, 4:] > 0, 0.0, oracle.x - 0.25) * torch.tensor([1.0, 1, 1, 1, 0], dtype=torch.float64)
    with oracle.exact(), torch.no_grad():
        _, y_dot = jvp(oracle.log_probabilities, (oracle.x,), (v,))
    return y_dot.norm(dim=1).numpy()[oracle.codes != 4]


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-9), ("float32", 1e-5)])
@pytest.mark.parametrize("tile", ["1", "7", "32", "1000"])
def test_the_response_track_equals_forward_mode_of_transformers(dtype, bound, tile, folder, bases, expected, tmp_path):
    result = CliRunner().invoke(
        app,
        [
            *("run", str(folder / "mt.fa"), "--model", str(folder / "model"), "-o", str(tmp_path / "mt")),
            *("--dtype", dtype, "--tile", tile, "-q", "--mode", "tangent"),
        ],
    )
    assert result.exit_code == 0, result.output
    lines = [line.split("\t") for line in (tmp_path / "mt.response.bedgraph").read_text().splitlines()]
    assert [int(line[1]) for line in lines] == [at for at, letter in enumerate(bases) if letter != "N"]
    found = np.array([float(line[3]) for line in lines])
    assert np.linalg.norm(found - expected) <= bound * np.linalg.norm(expected)
