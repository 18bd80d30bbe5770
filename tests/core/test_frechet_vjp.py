"""Gradients of the Frechet operator's sweep against float64 autograd of the paper's formulas, written out here."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from pgf_cli.core.certificate import relative_error
from pgf_cli.core.models import FrechetConfig, FrechetModel
from pgf_cli.core.objectives import SumOutputs, Targets
from pgf_cli.core.sweeps import adjoint_sweep
from pgf_cli.core.threads import available_threads, set_threads

CPU = torch.device("cpu")


def random_frechet(a_log, channels=4, embedded=False):
    """Random float64 weights that float32 holds exactly, so that both precisions are the same model."""
    generator = torch.Generator().manual_seed(11)
    model = FrechetModel(FrechetConfig(d_model=channels, d_state=3, embedded=embedded))
    model = model.to(torch.float64).requires_grad_(False)
    for parameter in model.parameters():
        parameter.copy_((torch.randn(parameter.shape, generator=generator) * 0.5).double())
    model.redshift_scale.fill_(1.5)
    model.A_log.fill_(a_log)
    return model


def published_operator(w, u):
    """The published formulas, one base after the other, for tensors by their published names and inputs u (L, D)."""
    delta = functional.softplus(functional.linear(u, w["dt_proj.weight"], w["dt_proj.bias"]))
    B = functional.linear(u, w["B_proj.weight"], w["B_proj.bias"])
    C = functional.linear(u, w["C_proj.weight"], w["C_proj.bias"])
    A, D, N = -torch.exp(w["A_log"]), u.shape[1], len(w["A_log"])
    h, rows = torch.zeros(D, N, dtype=torch.float64), []
    if len(u) >= 3:
        h = (w["init_estimator.weight"] @ u[:3].reshape(-1) + w["init_estimator.bias"]).reshape(D, N)
    for t in range(len(u)):
        z = delta[t][:, None] * A
        h = torch.exp(z) * h + torch.expm1(z) / z * u[t][:, None] * B[t]
        rows.append((h * C[t]).sum(1) + w["D"] * u[t])
    return functional.softplus(torch.stack(rows)) * torch.clamp(w["redshift_scale"], min=0.5)


def published_gradients(model, codes, objective):
    """x_bar (L, 4), zero at N, and the gradients of all tensors."""
    w = {name: tensor.clone().requires_grad_() for name, tensor in model.named_parameters()}
    bases = torch.eye(5, dtype=torch.float64)[torch.from_numpy(codes.astype(np.int64))][:, :4].requires_grad_()
    y = published_operator(w, bases @ w["embed.weight"] if "embed.weight" in w else bases)
    phi = (objective.weights(0, codes, None).double() * y).sum()
    x_bar, *bars = torch.autograd.grad(phi, (bases, *w.values()), materialize_grads=True)
    x_bar[torch.from_numpy(codes == 4)] = 0
    return x_bar, dict(zip(w, bars, strict=True))


def sweep_gradients(model, codes, objective, tile):
    sweep = adjoint_sweep(model, codes, objective, end=len(codes), tile=tile, parameters=True)
    x_bar = torch.cat([part.x_bar for part in reversed(list(sweep))])
    assert (x_bar[:, 4] == 0).all()
    return x_bar[:, :4], sweep.parameter_bars


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
@pytest.mark.parametrize(
    ("a_log", "channels", "embedded"),
    [(-8.0, 4, False), (-3.0, 7, True), (0.0, 4, False), (3.0, 7, True), (6.0, 4, False)],
)
def test_every_gradient_equals_the_published_formulas_for_slow_and_stiff_states(
    a_log, channels, embedded, dtype, bound, dna
):
    model, codes = random_frechet(a_log, channels, embedded), dna(600, n_run=90)
    targets = Targets([(100, 330), (590, 600)])
    expected, expected_bars = published_gradients(model, codes, SumOutputs(targets, channels, torch.float64, CPU))
    objective = SumOutputs(targets, channels, dtype, CPU)
    x_bar, bars = sweep_gradients(model.to(dtype), codes, objective, 64)
    assert relative_error(x_bar, expected) <= bound
    for name, bar in expected_bars.items():
        # A stiff state forgets at once: what its initial value still does is below the smallest number.
        assert relative_error(bars[name], bar) <= bound or bar.norm() < 1e-30, name


@pytest.mark.parametrize("tile", [1, 2, 4, 1000])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 13])
@pytest.mark.parametrize(("channels", "embedded"), [(4, False), (7, True)])
def test_short_sequences_and_tiles_shorter_than_the_window(length, tile, channels, embedded, dna):
    model, codes = random_frechet(0.0, channels, embedded), dna(length)
    objective = SumOutputs(None, channels, torch.float64, CPU)
    x_bar, bars = sweep_gradients(model, codes, objective, tile)
    expected, expected_bars = published_gradients(model, codes, objective)
    torch.testing.assert_close(x_bar, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(bars, expected_bars, rtol=1e-10, atol=1e-12)


def test_the_number_of_threads_does_not_change_a_byte(dna):
    model, codes = random_frechet(0.0, 100, embedded=True).to(torch.float32), dna(400)
    results = []
    for threads in (1, 2, 4):
        set_threads(threads)
        x_bar, bars = sweep_gradients(model, codes, SumOutputs(None, 100, torch.float32, CPU), 301)
        results.append(b"".join(tensor.numpy().tobytes() for tensor in (x_bar, *bars.values())))
    set_threads(available_threads())
    assert results[0] == results[1] == results[2]
