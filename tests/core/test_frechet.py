"""The Frechet operator's tangent against a float64 derivative carried base by base, from the paper's formulas."""

import numpy as np
import pytest
import torch
from torch.func import jvp as func_jvp
from torch.nn import functional

from pgf_cli.core.certificate import certify, relative_error
from pgf_cli.core.directions import Contrast
from pgf_cli.core.models import FrechetConfig, FrechetModel
from pgf_cli.core.models.frechet import FrechetSizesError
from pgf_cli.core.models.protocol import StreamingModel
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.sweeps import response, tangent_sweep
from pgf_cli.core.threads import available_threads, set_threads

CPU = torch.device("cpu")


def random_frechet(a_log=None, d_model=4, d_state=3, embedded=False, **sizes):
    """Random float64 weights that float32 holds exactly, so that both precisions are the same model."""
    generator = torch.Generator().manual_seed(11)
    model = FrechetModel(FrechetConfig(d_model=d_model, d_state=d_state, embedded=embedded, **sizes))
    model = model.to(torch.float64).requires_grad_(False)
    for parameter in model.parameters():
        parameter.copy_((torch.randn(parameter.shape, generator=generator) * 0.5).double())
    model.redshift_scale.fill_(1.5)
    if a_log is not None:
        model.A_log.fill_(a_log)
    return model


def sweep(model, codes, tile=None):
    tiles = list(tangent_sweep(model, codes, Contrast(), end=len(codes), tile=tile or len(codes)))
    return torch.cat([part.y for part in tiles]), torch.cat([part.y_dot[0] for part in tiles])


def inputs_and_direction(model, codes):
    """u and u_dot (L, D) of the published operator, which knows no bases, along the contrast; float64."""
    table = model.embed.weight if model.config.embedded else torch.eye(4)
    table = torch.cat([table.double(), torch.zeros(1, table.shape[1])])
    u = table[torch.from_numpy(codes.astype(np.int64))]
    is_base = torch.from_numpy(codes < 4)[:, None]
    return u, torch.where(is_base, u - table[:4].mean(0), 0.0)


def published_operator(model, u):
    """The published formulas, one base after the other, for torch.func to differentiate."""
    w = {name: tensor.double() for name, tensor in model.state_dict().items()}
    D, N = model.config.d_model, model.config.d_state
    delta = functional.softplus(functional.linear(u, w["dt_proj.weight"], w.get("dt_proj.bias")))
    B = functional.linear(u, w["B_proj.weight"], w.get("B_proj.bias"))
    C = functional.linear(u, w["C_proj.weight"], w.get("C_proj.bias"))
    A, h, window = -torch.exp(w["A_log"]), torch.zeros(D, N, dtype=torch.float64), model.config.window
    if len(u) >= window:
        h = (w["init_estimator.weight"] @ u[:window].reshape(-1) + w["init_estimator.bias"]).reshape(D, N)
    rows = []
    for t in range(len(u)):
        z = delta[t][:, None] * A
        h = torch.exp(z) * h + torch.expm1(z) / z * u[t][:, None] * B[t]
        rows.append((h * C[t]).sum(1) + w["D"] * u[t])
    return functional.softplus(torch.stack(rows)) * max(float(w["redshift_scale"]), 0.5)


def softplus(x):
    return np.where(x > 20, x, np.logaddexp(0, x))  # torch's, which the published code calls


def softplus_slope(x):
    return np.where(x > 20, 1.0, np.exp(-np.logaddexp(0, -x)))


def sequential_derivative(model, codes):
    """The same formulas and their derivative by hand, base after base in NumPy: float64, phi1' in long double."""
    w = {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}
    u, u_dot = (part.numpy() for part in inputs_and_direction(model, codes))

    def affine(name):
        return u @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0), u_dot @ w[f"{name}.weight"].T

    (p, p_dot), (B, B_dot), (C, C_dot) = affine("dt_proj"), affine("B_proj"), affine("C_proj")
    delta, delta_dot = softplus(p), p_dot * softplus_slope(p)
    A, D, window = -np.exp(w["A_log"]), w["D"], model.config.window
    h = h_dot = np.zeros((len(D), len(A)))
    if len(u) >= window:
        h = (w["init_estimator.weight"] @ u[:window].ravel() + w["init_estimator.bias"]).reshape(h.shape)
        h_dot = (w["init_estimator.weight"] @ u_dot[:window].ravel()).reshape(h.shape)
    s, s_dot = np.empty_like(u), np.empty_like(u)
    for t in range(len(u)):
        z, z_dot = np.outer(delta[t], A), np.outer(delta_dot[t], A)
        m, phi1 = np.expm1(z), np.expm1(z) / z
        long = z.astype(np.longdouble)
        slope = ((long * np.exp(long) - np.expm1(long)) / long**2).astype(np.float64)
        bu, bu_dot = np.outer(u[t], B[t]), np.outer(u_dot[t], B[t]) + np.outer(u[t], B_dot[t])
        h_dot = h_dot + (m * h_dot + (np.exp(z) * z_dot * h + slope * z_dot * bu + phi1 * bu_dot))
        h = h + (m * h + phi1 * bu)
        s[t], s_dot[t] = h @ C[t] + D * u[t], h_dot @ C[t] + h @ C_dot[t] + D * u_dot[t]
    scale = max(w["redshift_scale"], 0.5)
    return torch.from_numpy(softplus(s) * scale), torch.from_numpy(s_dot * softplus_slope(s) * scale)


@pytest.mark.parametrize("a_log", [-8.0, 0.0, 6.0])
@pytest.mark.parametrize("length", [2, 3, 40])
def test_the_oracle_of_this_file_is_torch_func_on_the_published_formulas(length, a_log, dna):
    model, codes = random_frechet(a_log), dna(length)
    expected = func_jvp(lambda u: published_operator(model, u), *((v,) for v in inputs_and_direction(model, codes)))
    for value, published in zip(sequential_derivative(model, codes), expected, strict=True):
        torch.testing.assert_close(value, published, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("a_log", "length"),
    [(-8.0, 2000), (-4.0, 2000), (0.0, 2000), (2.0, 2000), (4.0, 2000), (6.0, 2000), (-8.0, 20_000)],
)
def test_response_equals_the_sequential_derivative_for_slow_and_stiff_states(a_log, length, dna):
    model, codes = random_frechet(a_log), dna(length, n_run=100)
    y, y_dot = sequential_derivative(model, codes)
    for dtype, bound in ((torch.float64, 1e-9), (torch.float32, 1e-5)):
        ours, ours_dot = sweep(model.to(dtype), codes, tile=512)
        assert relative_error(ours, y) <= bound
        assert relative_error(ours_dot, y_dot) <= bound
        assert relative_error(response(ours_dot[None]), y_dot.norm(dim=1)) <= bound


@pytest.mark.parametrize("tile", [1, 2, 64, None])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 150])
@pytest.mark.parametrize(
    "sizes", [{}, {"d_model": 7, "embedded": True}, {"window": 5, "projection_bias": False}, {"window": 1}]
)
def test_no_tile_or_length_is_special_also_where_the_lookahead_crosses_tiles(sizes, length, tile, dna):
    model, codes = random_frechet(**sizes), dna(length, n_run=length // 10)
    expected = sequential_derivative(model, codes)
    for value, exact in zip(sweep(model, codes, tile), expected, strict=True):
        torch.testing.assert_close(value, exact, rtol=1e-10, atol=1e-12)


def test_a_scale_below_one_half_is_one_half(dna):
    model, codes = random_frechet(), dna(20)
    model.redshift_scale.fill_(0.5)
    expected = sweep(model, codes)
    model.redshift_scale.fill_(-3.0)
    torch.testing.assert_close(sweep(model, codes), expected, rtol=0, atol=0)


@pytest.mark.parametrize("sizes", [{}, {"d_model": 9, "embedded": True}])
@pytest.mark.parametrize("directions", [0, 3])
def test_analytic_derivatives_equal_torch_func_on_the_definition(directions, sizes, dna):
    model = random_frechet(**sizes)
    x = one_hot(dna(20, n_run=3), torch.float64, CPU)
    x_dot = torch.randn(3, 20, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    start = StreamingModel.initial_jvp(model, x[:3], x_dot[:, :3])
    expected = StreamingModel.jvp(model, x, x_dot, *start)
    state, state_dot = model.initial_jvp(x[:3], x_dot[:directions, :3])
    torch.testing.assert_close((state, state_dot), (start[0], start[1][:directions]), rtol=1e-12, atol=1e-13)
    y, y_dot, after, after_dot = model.jvp(x, x_dot[:directions], state, state_dot)
    torch.testing.assert_close((y, after), (expected.y, expected.state), rtol=1e-11, atol=1e-12)
    shortened = (expected.y_dot[:directions], expected.state_dot[:directions])
    torch.testing.assert_close((y_dot, after_dot), shortened, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sizes", [{}, {"d_model": 16, "embedded": True}])
def test_the_certificate_passes(sizes, dtype, dna):
    certificate = certify(random_frechet(**sizes).to(dtype), dna(256))
    assert certificate.passed, certificate.checks


def test_parameters_are_named_and_shaped_as_in_the_published_state_dict():
    model = FrechetModel(FrechetConfig(d_model=6, d_state=2, window=3, embedded=True))
    assert {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()} == {
        "A_log": (2,),
        "D": (6,),
        "redshift_scale": (),
        "dt_proj.weight": (6, 6),
        "dt_proj.bias": (6,),
        "B_proj.weight": (2, 6),
        "B_proj.bias": (2,),
        "C_proj.weight": (2, 6),
        "C_proj.bias": (2,),
        "init_estimator.weight": (12, 18),
        "init_estimator.bias": (12,),
        "embed.weight": (4, 6),
    }


def test_a_wide_operator_without_an_embedding_is_refused():
    with pytest.raises(FrechetSizesError, match=r"embed\.weight \(4, 8\)"):
        FrechetConfig(d_model=8, d_state=2, embedded=False)


def test_the_number_of_threads_does_not_change_a_byte(dna):
    model, codes = random_frechet(d_model=100, embedded=True).to(torch.float32), dna(400)
    results = []
    for threads in (1, 2, 4):
        set_threads(threads)
        results.append(sweep(model, codes, tile=301)[1].numpy().tobytes())
    set_threads(available_threads())
    assert results[0] == results[1] == results[2]
