"""Exact gradients against an independent model: reverse-mode autograd of transformers' Mamba in float64."""

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from pgf_cli.checkpoints import read_checkpoint
from pgf_cli.cli.app import app
from pgf_cli.core.objectives import LogLikelihood
from pgf_cli.core.sweeps import adjoint_sweep

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def expected(oracle):
    """Gradients of the log-likelihood: with respect to x (L, 4), zero at N, and to every parameter by its name."""
    x = oracle.x.clone().requires_grad_()
    oracle.model.requires_grad_(True)
    labels = oracle.codes
    with oracle.exact():
        log_p = oracle.log_probabilities(x)
        phi = sum(log_p[at - 1, labels[at]] for at in range(1, len(labels)) if labels[at] != 4)
        named = dict(oracle.model.named_parameters())
        x_bar, *bars = torch.autograd.grad(phi, [x, *named.values()])
    oracle.model.requires_grad_(False)
    return x_bar[:, :4].numpy() * (labels != 4)[:, None], dict(zip(named, bars, strict=True))


def relative(found, exact):
    return np.linalg.norm(found - exact) / np.linalg.norm(exact)


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-9), ("float32", 1e-5)])
@pytest.mark.parametrize("tile", ["7", "32", "1000"])
def test_hypothetical_scores_equal_autograd_of_transformers(dtype, bound, tile, folder, expected, tmp_path):
    result = CliRunner().invoke(
        app,
        [
            *("run", str(folder / "mt.fa"), "--model", str(folder / "model"), "-o", str(tmp_path / "mt"), "-f", "npz"),
            *("--dtype", dtype, "--tile", tile, "-q", "--mode", "adjoint", "--no-gradient-correction"),
        ],
    )
    assert result.exit_code == 0, result.output
    found = np.load(tmp_path / "mt.hypothetical.npz")["arr_0"][0].T
    assert relative(found, expected[0]) <= bound


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_parameter_gradients_equal_autograd_of_transformers_for_every_tensor(dtype, bound, folder, expected, oracle):
    model = read_checkpoint(folder / "model").build(None, dtype, CPU)
    codes = oracle.codes.astype(np.uint8)
    objective = LogLikelihood(None, dtype, CPU)
    sweep = adjoint_sweep(model, codes, objective, end=len(codes), tile=64, parameters=True)
    for _ in sweep:
        pass
    exact = {
        name.removeprefix("backbone.").replace("embeddings", "embedding"): bar for name, bar in expected[1].items()
    }
    assert set(sweep.parameter_bars) == set(exact)
    for name, bar in exact.items():
        assert relative(sweep.parameter_bars[name].double().numpy(), bar.numpy()) <= bound, name
