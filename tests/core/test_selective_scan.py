"""The reference scan against autograd in float64; the compiled scan against the reference."""

import numpy as np
import pytest
import torch
from torch.func import jvp as func_jvp
from torch.func import vmap

from pgf_cli.core.certificate import relative_error
from pgf_cli.core.ops._numba.exponential import exp2m1
from pgf_cli.core.ops.selective_scan import Scan, cpu, reference


def random_scan(length: int, inner: int, state: int, directions: int, scale: float = 1.0) -> tuple[Scan, Scan]:
    generator = torch.Generator().manual_seed(length + 31 * inner + directions)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    A, D = -scale * torch.exp(normal(inner, state)), normal(inner)
    primal = Scan(normal(length, inner), A, normal(length, state), normal(length, state), D,
                  normal(length, inner), normal(length, inner), normal(inner, state))  # fmt: skip
    K = directions
    dot = Scan(normal(K, length, inner), A, normal(K, length, state), normal(K, length, state), D,
               normal(K, length, inner), normal(K, length, inner), normal(K, inner, state))  # fmt: skip
    return primal, dot


def as_dtype(scan: Scan, dtype: torch.dtype) -> Scan:
    return Scan(*(tensor.to(dtype) for tensor in scan))


def test_reference_forward_is_the_textbook_recurrence():
    scan, _ = random_scan(9, 4, 3, 1)
    step, A, B, C, D, u, z, h = (tensor.numpy() for tensor in scan)
    delta = np.log1p(np.exp(step))
    rows = []
    for t in range(9):
        h = np.exp(delta[t][:, None] * A) * h + (delta[t] * u[t])[:, None] * B[t]
        rows.append((h @ C[t] + D * u[t]) * z[t] / (1 + np.exp(-z[t])))
    y, state = reference.forward(scan)
    np.testing.assert_allclose(state.numpy(), h, rtol=1e-13)
    np.testing.assert_allclose(y.numpy(), rows, rtol=1e-12)


@pytest.mark.parametrize("directions", [1, 3])
def test_reference_tangent_is_torch_func_forward_mode(directions):
    primal, dot = random_scan(17, 6, 5, directions)
    moving = ("step", "B", "C", "u", "z", "h")

    def run(*arguments: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return reference.forward(primal._replace(**dict(zip(moving, arguments, strict=True))))

    def along(*dots: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return func_jvp(run, tuple(getattr(primal, name) for name in moving), dots)[1]

    y_dot, h_dot = vmap(along)(*(getattr(dot, name) for name in moving))
    result = reference.jvp(primal, dot)
    torch.testing.assert_close(result.y[1:], y_dot, rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(result.h_dot, h_dot, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize(
    ("length", "inner", "state", "directions"),
    [(1, 1, 1, 1), (2, 31, 16, 2), (63, 32, 4, 1), (65, 33, 16, 3), (512, 70, 16, 8), (5, 64, 3, 0), (20, 33, 3, 19)],
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
        # Of a single number, all but little of terms of order one may cancel.
        assert (value - right).norm() <= bound * max(right.norm(), 1.0)


def test_slow_states_survive_ten_thousand_float32_steps():
    # At A_log -8 the plain a h + b in float32 is off by 3e-5; the closed form here is a geometric sum.
    length, a = 10_000, -float(np.exp(-8.0))
    step = torch.full((length, 1), 0.7, dtype=torch.float32)
    ones = torch.ones(length, 1)
    scan = Scan(step, torch.tensor([[a]]), ones, ones, torch.zeros(1), ones, ones, torch.zeros(1, 1))
    still = Scan(*(torch.zeros(0, *tensor.shape) for tensor in scan))
    h = cpu.jvp(scan, still._replace(A=scan.A, D=scan.D)).h.item()
    delta, decay = float(np.log1p(np.exp(np.float64(step[0, 0])))), float(torch.tensor(a))
    assert h == pytest.approx(delta * np.expm1(delta * decay * length) / np.expm1(delta * decay), rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exp2m1_is_good_relative_to_itself_near_zero_and_far(dtype):
    from numba import njit

    z = -np.logspace(-12, 3, 2000).astype(dtype)
    compiled = njit(lambda values: np.array([exp2m1(value) for value in values]))
    exact = np.expm1(z.astype(np.longdouble) * np.log(np.longdouble(2)))
    assert np.max(np.abs(compiled(z) / exact - 1)) < 4 * np.finfo(dtype).eps
