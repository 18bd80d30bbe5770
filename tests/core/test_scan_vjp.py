"""Adjoints of both scans: the references, and the compiled ones, against torch autograd of the reference forward."""

import pytest
import torch

from pgf_cli.core.certificate import relative_error
from pgf_cli.core.ops import frechet_scan, selective_scan
from pgf_cli.core.ops._numba.scan_loops import SPAN
from pgf_cli.core.threads import available_threads, flush_denormals, set_threads

operators = pytest.mark.parametrize("operator", [selective_scan, frechet_scan])


def random_scan(operator, length, inner, state, scale=1.0, dtype=torch.float64):
    """A scan with the adjoints of its output and of the state after it."""
    generator = torch.Generator().manual_seed(length + 31 * inner)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

    reached = min(1.0, 1 / scale)  # the size of state that so stiff a recurrence leaves behind
    A = (-scale * torch.exp(normal(inner, state))).to(dtype)
    parts = {
        "step": normal(length, inner), "A": A, "B": normal(length, state), "C": normal(length, state) / 4,
        "D": normal(inner), "u": normal(length, inner), "z": normal(length, inner), "scale": normal().abs() + 0.5,
        "h": normal(inner, state) * reached,
    }  # fmt: skip
    scan = operator.Scan(**{name: parts[name] for name in operator.Scan._fields})
    return scan, normal(length, inner), normal(inner, state)


def by_autograd(operator, scan, y_bar, h_bar):
    leaves = operator.Scan(*(tensor.clone().requires_grad_() for tensor in scan))
    return operator.Scan(*torch.autograd.grad(operator.reference.forward(leaves), leaves, (y_bar, h_bar)))


def compiled(operator, scan, y_bar, h_bar):
    there = operator.forward(scan)
    return there, operator.vjp(scan, there.edges, y_bar, h_bar)


@operators
@pytest.mark.parametrize(("length", "inner", "state"), [(1, 1, 1), (17, 6, 5)])
def test_reference_adjoint_is_autograd(operator, length, inner, state):
    arguments = random_scan(operator, length, inner, state)
    bars = operator.reference.vjp(*arguments)
    torch.testing.assert_close(bars, by_autograd(operator, *arguments), rtol=1e-11, atol=1e-12)


@operators
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize(
    ("length", "inner", "state"),
    [(1, 5, 2), (2, 31, 16), (SPAN - 1, 32, 4), (SPAN, 33, 16), (SPAN + 1, 70, 3), (203, 65, 16)],
)
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e4])
def test_compiled_adjoint_equals_float64_autograd_on_identical_inputs(
    operator, length, inner, state, scale, dtype, bound
):
    arguments = random_scan(operator, length, inner, state, scale, dtype)
    scan, y_bar, h_bar = (
        operator.Scan(*(tensor.double() for tensor in arguments[0])),
        *(tensor.double() for tensor in arguments[1:]),
    )
    expected = by_autograd(operator, scan, y_bar, h_bar)
    there, bars = compiled(operator, *arguments)
    y, h = operator.reference.forward(scan)
    assert relative_error(there.y, y) <= bound
    assert relative_error(there.h, h) <= bound
    for name, value in bars._asdict().items():
        right = getattr(expected, name)
        if name == "scale":  # a sum over the whole output, in which much cancels
            assert abs(value - right) <= bound * y_bar.norm() * y.norm()
            continue
        # Of stiff states all is forgotten, and what is left of A's adjoint is nothing beside the others, of order one.
        assert (value.double() - right).norm() <= bound * max(right.norm().item(), 1e-6), name


@operators
def test_a_step_of_length_zero_has_its_limit_s_adjoint(operator):
    scan, y_bar, h_bar = random_scan(operator, 20, 9, 4)
    scan.step[3:8] = -1e4
    _, bars = compiled(operator, scan, y_bar, h_bar)
    torch.testing.assert_close(bars, operator.reference.vjp(scan, y_bar, h_bar), rtol=1e-11, atol=1e-12)
    assert all(torch.isfinite(bar).all() for bar in bars)


@operators
def test_arguments_handed_over_as_views_are_read_right_and_left_alone(operator):
    scan, y_bar, h_bar = random_scan(operator, 40, 35, 3)
    before = [tensor.clone() for tensor in (*scan, y_bar, h_bar)]
    views = operator.Scan(*(tensor.T.contiguous().T if tensor.ndim == 2 else tensor for tensor in scan))
    _, bars = compiled(operator, scan, y_bar, h_bar)
    _, of_views = compiled(operator, views, y_bar.T.contiguous().T, h_bar.T.contiguous().T)
    torch.testing.assert_close(of_views, bars, rtol=0, atol=0)
    assert all(torch.equal(a, b) for a, b in zip(before, (*scan, y_bar, h_bar), strict=True))


@operators
def test_threads_do_not_change_a_byte_of_the_sums_over_channels(operator):
    arguments = random_scan(operator, 50, 200, 5, dtype=torch.float32)
    results = []
    for threads in (1, 2, 4):
        set_threads(threads)
        results.append(b"".join(bar.numpy().tobytes() for bar in compiled(operator, *arguments)[1]))
    set_threads(available_threads())
    assert results[0] == results[1] == results[2]


@pytest.mark.skipif(not torch.set_flush_denormal(False), reason="this processor cannot flush denormals")
@operators
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_adjoint_that_decays_below_the_normal_numbers_is_zero_in_every_block(operator, dtype):
    scan, y_bar, h_bar = random_scan(operator, 1, 256, 3, dtype=dtype)
    small = 4 * torch.finfo(dtype).tiny
    scan = scan._replace(step=torch.ones_like(scan.step), A=torch.full_like(scan.A, -4.0))
    with flush_denormals():
        _, bars = compiled(operator, scan, torch.zeros_like(y_bar), torch.full_like(h_bar, small))
    assert torch.count_nonzero(bars.h) == 0
