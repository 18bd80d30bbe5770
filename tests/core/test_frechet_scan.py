"""phi1 against mpmath; the paper's scan against its textbook form and autograd; the compiled scan against both."""

import mpmath
import numpy as np
import pytest
import torch
from numba import njit
from torch.func import grad, vmap
from torch.func import jvp as func_jvp

from pgf_cli.core.certificate import relative_error
from pgf_cli.core.ops._numba.exponential import exp_phi1
from pgf_cli.core.ops.frechet_scan import Scan, cpu, reference


def random_scan(length: int, inner: int, state: int, directions: int, scale: float = 1.0) -> tuple[Scan, Scan]:
    generator = torch.Generator().manual_seed(length + 17 * inner + directions)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    reached = min(1.0, 1 / scale)  # the size of state that so stiff a recurrence leaves behind
    A, D, K = -scale * torch.exp(normal(inner, state)), normal(inner), directions
    primal = Scan(normal(length, inner), A, normal(length, state), normal(length, state) / 4, D,
                  normal(length, inner), normal().abs(), normal(inner, state) * reached)  # fmt: skip
    dot = Scan(normal(K, length, inner), A, normal(K, length, state), normal(K, length, state), D,
               normal(K, length, inner), normal(), normal(K, inner, state) * reached)  # fmt: skip
    return primal, dot


def as_dtype(scan: Scan, dtype: torch.dtype) -> Scan:
    return Scan(*(tensor.to(dtype) for tensor in scan))


def arguments_and_exact_phi1(dtype):
    """z from -1e-30 to -1e5, dense around -1, with phi1 and phi1' to 60 digits."""
    z = -np.concatenate([np.logspace(-30, 5, 300), np.linspace(0.5, 20, 300), np.linspace(0.95, 1.05, 101)])
    z = z.astype(dtype)
    with mpmath.workdps(100):
        exact = [mpmath.expm1(x) / x for x in map(mpmath.mpf, z.tolist())]
        slope = [(mpmath.exp(x) - y) / x for x, y in zip(map(mpmath.mpf, z.tolist()), exact, strict=True)]
    return z, np.array([exact, slope], dtype=np.float64)


@njit(error_model="numpy")
def compiled_phi1(values):
    out = np.empty((2, values.size), values.dtype)
    for i in range(values.size):
        _, _, out[0, i], out[1, i] = exp_phi1(values[i])
    return out


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_phi1_and_its_slope_are_good_to_a_few_roundings(dtype):
    z, exact = arguments_and_exact_phi1(dtype)
    assert np.max(np.abs(compiled_phi1(z) / exact - 1)) < 4 * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_torch_phi1_its_slope_and_its_autograd_are_good_to_a_few_roundings(dtype):
    z, (exact, slope) = arguments_and_exact_phi1(dtype)
    x = torch.from_numpy(z)
    by_autograd = vmap(grad(reference.phi1))(x)
    for value, right in ((reference.phi1(x), exact), (reference.phi1_slope(x), slope), (by_autograd, slope)):
        assert np.max(np.abs(value.numpy() / right - 1)) < 10 * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_step_of_length_zero_is_the_limit_and_not_a_nan(dtype):
    zero = np.zeros(1, dtype)
    np.testing.assert_array_equal(compiled_phi1(zero), [[1], [0.5]])
    x = torch.from_numpy(zero)
    assert (reference.phi1(x).item(), reference.phi1_slope(x).item()) == (1, 0.5)
    assert grad(reference.phi1)(x[0]).item() == 0.5


def test_reference_forward_is_the_textbook_recurrence():
    scan, _ = random_scan(9, 4, 3, 1)
    step, A, B, C, D, u, scale, h = (tensor.numpy() for tensor in scan)
    delta = np.log1p(np.exp(step))
    rows = []
    for t in range(9):
        a = np.exp(delta[t][:, None] * A)
        # The exact integral over a step in which B u is held: A^-1 (a - 1) B u, which is delta phi1 B u.
        h = a * h + (a - 1) / A * np.outer(u[t], B[t]) / delta[t][:, None]
        rows.append(scale * np.log1p(np.exp(h @ C[t] + D * u[t])))
    y, state = reference.forward(scan)
    np.testing.assert_allclose(state.numpy(), h, rtol=1e-12)
    np.testing.assert_allclose(y.numpy(), rows, rtol=1e-12)


@pytest.mark.parametrize("directions", [1, 3])
def test_reference_tangent_is_torch_func_forward_mode(directions):
    primal, dot = random_scan(17, 6, 5, directions)
    moving = ("step", "B", "C", "u", "h")

    def run(*arguments: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return reference.forward(primal._replace(**dict(zip(moving, arguments, strict=True))))

    def along(*dots: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return func_jvp(run, tuple(getattr(primal, name) for name in moving), dots)[1]

    y_dot, h_dot = vmap(along)(*(getattr(dot, name) for name in moving))
    result = reference.jvp(primal, dot)
    torch.testing.assert_close(result.y[1:], y_dot, rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(result.h_dot, h_dot, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-6), (torch.float64, 1e-13)])
@pytest.mark.parametrize(
    ("length", "inner", "state", "directions"),
    [(1, 1, 1, 1), (2, 31, 16, 2), (63, 32, 4, 1), (65, 33, 16, 3), (400, 70, 16, 8), (5, 64, 3, 0)],
)
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e4])
def test_compiled_scan_equals_the_float64_reference_on_identical_inputs(
    length, inner, state, directions, scale, dtype, bound
):
    primal, dot = (as_dtype(scan, dtype) for scan in random_scan(length, inner, state, directions, scale))
    exact = reference.jvp(as_dtype(primal, torch.float64), as_dtype(dot, torch.float64))
    result = cpu.jvp(primal, dot)
    for name, value in result._asdict().items():
        assert relative_error(value, getattr(exact, name)) <= bound, name
    for value, right in zip(result.y, exact.y, strict=True):
        assert relative_error(value, right) <= bound


def test_states_handed_over_as_views_come_back_updated():
    primal, dot = random_scan(7, 5, 3, 2)
    views = primal._replace(h=primal.h.T.contiguous().T), dot._replace(h=dot.h.mT.contiguous().mT)
    torch.testing.assert_close(cpu.jvp(*views), cpu.jvp(primal, dot), rtol=0, atol=0)
