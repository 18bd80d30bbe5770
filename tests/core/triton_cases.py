"""What ``test_triton_kernels`` runs: every verb of every Triton operator against the float64 reference.

Interpreted on the CPU if TRITON_INTERPRET is set, else compiled on a CUDA device.
"""

import math
import os

import pytest
import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional

from pgf_cli.core.certificate import relative_error
from pgf_cli.core.ops._triton.math import exp2_parts, exp_phi1, silu_slope, softplus_slope
from pgf_cli.core.ops._triton.scan import launch
from pgf_cli.core.ops.causal_conv import cuda as conv_cuda
from pgf_cli.core.ops.causal_conv import reference as conv_reference
from pgf_cli.core.ops.frechet_scan import cuda as frechet_cuda
from pgf_cli.core.ops.frechet_scan import reference as frechet_reference
from pgf_cli.core.ops.gated_norm import cuda as gated_cuda
from pgf_cli.core.ops.gated_norm import reference as gated_reference
from pgf_cli.core.ops.rms_norm import cuda as norm_cuda
from pgf_cli.core.ops.rms_norm import reference as norm_reference
from pgf_cli.core.ops.selective_scan import cuda as selective_cuda
from pgf_cli.core.ops.selective_scan import reference as selective_reference
from pgf_cli.core.ops.ssd_scan import cuda as ssd_cuda
from pgf_cli.core.ops.ssd_scan import pieces
from pgf_cli.core.ops.ssd_scan import reference as ssd_reference

DEVICE = "cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda"
BOUND = {torch.float32: 1e-6, torch.float64: 1e-12}
SCANS = {"selective": (selective_cuda, selective_reference), "frechet": (frechet_cuda, frechet_reference)}

both_dtypes = pytest.mark.parametrize("dtype", BOUND, ids=str)


@pytest.fixture
def short_chunks(monkeypatch):
    """Chunks of a few steps: the interpreter takes milliseconds a step, and what happens at their ends is the same."""
    monkeypatch.setattr(launch, "CHUNK", 8)
    monkeypatch.setattr(launch, "SPAN", 4)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape)), dtype=torch.float64)


def sliced(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers in a slice of a wider tensor, as projections are split."""
    return normal(*shape[:-1], shape[-1] + 3, seed=seed)[..., 2:-1]


def random_scan(reference, length: int, inner: int, state: int, directions: int):
    """A scan with time constants from 1e-4 to 1e8 steps, zeros in B, and step sizes where softplus is its argument."""
    selective = reference is selective_reference
    K = directions
    exponents = torch.rand(inner, state, generator=torch.Generator().manual_seed(inner), dtype=torch.float64) * 12 - 8
    step = 3 * sliced(length, inner)
    step[0, 0], step[-1, -1] = 30.0, -30.0
    B = sliced(length, state, seed=1)
    B[length // 2] = 0.0
    gate = sliced(length, inner, seed=5) if selective else torch.tensor(1.7, dtype=torch.float64)
    A = -(10**exponents)
    primal = reference.Scan(
        step,
        A,
        B,
        sliced(length, state, seed=2),
        normal(inner),
        sliced(length, inner, seed=3),
        gate,
        normal(inner, state),
    )
    gate_dot = sliced(K, length, inner, seed=9) if selective else torch.zeros(K, dtype=torch.float64)
    dot = reference.Scan(
        sliced(K, length, inner, seed=6),
        A,
        sliced(K, length, state, seed=7),
        sliced(K, length, state, seed=8),
        primal.D,
        sliced(K, length, inner, seed=4),
        gate_dot,
        normal(K, inner, state),
    )
    return primal, dot


def cast(tensors, dtype, device=DEVICE):
    """The same numbers, rounded and then exact in float64: both sides see identical inputs."""
    return type(tensors)(*(tensor.to(device, dtype) for tensor in tensors))


def assert_equal(results: dict[str, Tensor], exact: dict[str, Tensor], bound: float) -> None:
    assert results.keys() == exact.keys()
    for name, value in results.items():
        assert value.shape == exact[name].shape, name
        assert relative_error(value.cpu(), exact[name]) <= bound, name


SIZES = [(1, 5, 3, 0), (7, 17, 5, 1), (8, 17, 16, 3), (9, 33, 4, 8), (17, 9, 16, 2)]


@both_dtypes
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("scan", SCANS)
def test_scan_and_its_tangents_are_the_reference_s(scan, sizes, dtype, short_chunks):
    kernels, reference = SCANS[scan]
    primal, dot = (cast(part, dtype) for part in random_scan(reference, *sizes))
    exact = reference.jvp(cast(primal, torch.float64, "cpu"), cast(dot, torch.float64, "cpu"))
    assert_equal(kernels.jvp(primal, dot)._asdict(), exact._asdict(), BOUND[dtype])


@both_dtypes
@pytest.mark.parametrize("sizes", SIZES[:2] + SIZES[3:], ids=str)
@pytest.mark.parametrize("scan", SCANS)
def test_scan_s_adjoint_is_the_reference_s(scan, sizes, dtype, short_chunks):
    kernels, reference = SCANS[scan]
    length, inner, state, _ = sizes
    primal = cast(random_scan(reference, length, inner, state, 1)[0], dtype)
    y_bar, h_bar = ((normal(*shape) + 1).to(DEVICE, dtype) for shape in ((length, inner), (inner, state)))
    y, h, edges = kernels.forward(primal)
    exact_primal = cast(primal, torch.float64, "cpu")
    exact_y, exact_h = reference.forward(exact_primal)
    assert_equal({"y": y, "h": h}, {"y": exact_y, "h": exact_h}, BOUND[dtype])
    exact = reference.vjp(exact_primal, y_bar.double().cpu(), h_bar.double().cpu())
    assert_equal(kernels.vjp(primal, edges, y_bar, h_bar)._asdict(), exact._asdict(), BOUND[dtype])


def single_state(reference, dtype: torch.dtype, step: Tensor, A: float, B: float, h: float):
    ones = torch.ones(len(step), 1)
    gate = ones if reference is selective_reference else torch.tensor(1.0)
    numbers = (step[:, None], torch.tensor([[A]]), B * ones, ones, torch.zeros(1), ones, gate, torch.tensor([[h]]))
    return cast(reference.Scan(*numbers), dtype)


def test_slow_states_survive_float32_steps():
    # The closed form is a geometric sum. Here exp(delta A) lies between two floats: a h + b would be off by 2.4e-6.
    step = torch.full((256,), 0.5)
    delta = functional.softplus(step[0].double()).item()
    A = float(torch.tensor(-100.5 * 2**-24 / delta))
    exact = delta * math.expm1(256 * delta * A) / math.expm1(delta * A)
    h = selective_cuda.forward(single_state(selective_reference, torch.float32, step, A, 1.0, 0.0)).h
    assert h.item() == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("scan", SCANS)
def test_fast_states_keep_their_digits(scan):
    # h + (a - 1) h would leave the rounding of h, 6e-8, where e^-60 = 9e-27 is.
    kernels, reference = SCANS[scan]
    fast = single_state(reference, torch.float32, torch.tensor([30.0]), -2.0, 0.0, 1.0)
    assert kernels.forward(fast).h.item() == pytest.approx(math.exp(-60.0), rel=1e-5)


@triton.jit
def activations_kernel(x, out, COUNT: tl.constexpr):
    at = tl.arange(0, COUNT)
    v = tl.load(x + at)
    power, rest, phi1, phi1_slope = exp_phi1(-tl.abs(v))
    power2, rest2 = exp2_parts(-tl.abs(v))
    softplus, softplus_by_x = softplus_slope(v)
    silu, _ = silu_slope(v)
    tl.store(out + at, power + rest)
    tl.store(out + COUNT + at, power2 + rest2)
    tl.store(out + 2 * COUNT + at, rest2 + (power2 - 1.0))
    tl.store(out + 3 * COUNT + at, phi1)
    tl.store(out + 4 * COUNT + at, phi1_slope)
    tl.store(out + 5 * COUNT + at, softplus)
    tl.store(out + 6 * COUNT + at, softplus_by_x)
    tl.store(out + 7 * COUNT + at, silu)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-6), (torch.float64, 4e-15)], ids=str)
def test_exponentials_and_activations_are_good_element_by_element(dtype, bound):
    # e^z itself is as good as z log2(e) is rounded: worse by |z|, hence the range.
    magnitudes = 10 ** torch.linspace(-8, math.log10(15), 512, dtype=torch.float64)
    x = torch.cat([magnitudes, -magnitudes]).to(dtype)
    out = torch.empty(8, len(x), dtype=dtype, device=DEVICE)
    activations_kernel[(1,)](x.to(DEVICE), out, len(x), enable_fp_fusion=True)
    exact_x = x.double()
    z = -exact_x.abs()
    exact = (
        torch.exp(z),
        torch.exp2(z),
        torch.expm1(z * math.log(2)),
        frechet_reference.phi1(z),
        frechet_reference.phi1_slope(z),
        functional.softplus(exact_x),
        torch.sigmoid(exact_x),
        functional.silu(exact_x),
    )
    for row, values in enumerate(exact):
        torch.testing.assert_close(
            out[row].double().cpu(), values, rtol=bound, atol=0, msg=lambda m, r=row: f"{r}: {m}"
        )


CONVOLUTIONS = [(1, 5, 4, 0), (2, 65, 4, 1), (15, 20, 3, 3), (17, 7, 1, 2), (33, 34, 4, 8)]


@both_dtypes
@pytest.mark.parametrize("sizes", CONVOLUTIONS, ids=str)
def test_convolution_and_its_tangents_are_the_reference_s(sizes, dtype):
    length, inner, taps, K = sizes
    arguments = [sliced(1 + K, length, inner), normal(inner, taps), normal(inner), normal(1 + K, taps - 1, inner)]
    arguments = [tensor.to(DEVICE, dtype) for tensor in arguments]
    exact = conv_reference.jvp(*(tensor.double().cpu() for tensor in arguments))
    for value, exact_value in zip(conv_cuda.jvp(*arguments), exact, strict=True):
        assert value.shape == exact_value.shape
        assert relative_error(value.cpu(), exact_value) <= BOUND[dtype]


@both_dtypes
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("sizes", CONVOLUTIONS[:4], ids=str)
def test_convolution_s_adjoint_is_the_reference_s(sizes, with_bias, dtype):
    length, inner, taps, _ = sizes
    bias = normal(inner) if with_bias else None
    given = [sliced(length, inner), normal(inner, taps), bias, normal(taps - 1, inner)]
    bars = [sliced(length, inner, seed=1), normal(taps - 1, inner, seed=1)]
    arguments = [tensor if tensor is None else tensor.to(DEVICE, dtype) for tensor in given + bars]
    exact_arguments = [tensor if tensor is None else tensor.double().cpu() for tensor in arguments]
    y, last = conv_reference.forward(*exact_arguments[:4])
    for value, exact in zip(conv_cuda.forward(*arguments[:4]), (y, last), strict=True):
        assert relative_error(value.cpu(), exact) <= BOUND[dtype]
    exact = conv_reference.vjp(*exact_arguments)
    assert_equal(conv_cuda.vjp(*arguments)._asdict(), exact._asdict(), BOUND[dtype])


@both_dtypes
@pytest.mark.parametrize(("length", "width", "directions"), [(1, 5, 0), (9, 12, 1), (17, 256, 3), (3, 3000, 2)])
def test_norm_with_tangents_and_adjoint_is_the_reference_s(length, width, directions, dtype):
    stack, weight = (t.to(DEVICE, dtype) for t in (sliced(1 + directions, length, width), normal(width)))
    y_bar, eps = sliced(length, width, seed=1).to(DEVICE, dtype), 1e-2
    exact_stack, exact_weight, exact_bar = (t.double().cpu() for t in (stack, weight, y_bar))
    results = {"jvp": norm_cuda.jvp(stack, weight, eps), "forward": norm_cuda.forward(stack, weight, eps)}
    exact = {
        "jvp": norm_reference.jvp(exact_stack, exact_weight, eps),
        "forward": norm_reference.forward(exact_stack, exact_weight, eps),
    }
    results["x_bar"], results["weight_bar"] = norm_cuda.vjp(stack[0], weight, eps, y_bar)
    exact["x_bar"], exact["weight_bar"] = norm_reference.vjp(exact_stack[0], exact_weight, eps, exact_bar)
    assert_equal(results, exact, BOUND[dtype])


def random_ssd(length: int, heads: int, groups: int, head_dim: int, state: int, directions: int):
    K, A = directions, -torch.exp(3 * normal(heads))
    D, h = normal(heads, head_dim), normal(heads, head_dim, state)
    primal = ssd_reference.Scan(
        normal(length, heads, seed=1).exp(),
        A,
        sliced(length, groups, state, seed=2),
        sliced(length, groups, state, seed=3),
        D,
        sliced(length, heads, head_dim, seed=4),
        h,
    )
    dot = ssd_reference.Scan(
        normal(K, length, heads, seed=5),
        A,
        sliced(K, length, groups, state, seed=6),
        sliced(K, length, groups, state, seed=7),
        D,
        sliced(K, length, heads, head_dim, seed=8),
        normal(K, heads, head_dim, state),
    )
    return primal, dot


@both_dtypes
@pytest.mark.parametrize(
    "sizes", [(1, 2, 1, 3, 5, 1), (8, 3, 3, 2, 4, 0), (19, 4, 2, 3, 5, 2), (16, 2, 1, 17, 9, 1)], ids=str
)
def test_mamba2_s_scan_with_tangents_and_adjoint_is_the_reference_s(sizes, dtype, monkeypatch):
    monkeypatch.setattr(pieces, "CHUNK", 8)
    primal, dot = (cast(part, dtype) for part in random_ssd(*sizes))
    exact_primal, exact_dot = (cast(part, torch.float64, "cpu") for part in (primal, dot))
    assert_equal(
        ssd_cuda.jvp(primal, dot)._asdict(), ssd_reference.jvp(exact_primal, exact_dot)._asdict(), BOUND[dtype]
    )
    y_bar, h_bar = ((normal(*tensor.shape) + 1).to(DEVICE, dtype) for tensor in (primal.u, primal.h))
    y, h, edges = ssd_cuda.forward(primal)
    exact_y, exact_h = ssd_reference.forward(exact_primal)
    assert_equal({"y": y, "h": h}, {"y": exact_y, "h": exact_h}, BOUND[dtype])
    exact = ssd_reference.vjp(exact_primal, y_bar.double().cpu(), h_bar.double().cpu())
    bars = ssd_cuda.vjp(primal, edges, y_bar, h_bar)
    for name, value in bars._asdict().items():
        expected = getattr(exact, name)
        # Sums over all bases; what a stiff state leaves nothing of is judged by the size of the inputs.
        assert (value.double().cpu() - expected).norm() <= 10 * BOUND[dtype] * max(expected.norm(), 1.0), name


@both_dtypes
@pytest.mark.parametrize(("length", "width", "groups", "directions"), [(1, 6, 1, 0), (9, 12, 3, 2), (17, 64, 2, 1)])
def test_gated_norm_with_tangents_and_adjoint_is_the_reference_s(length, width, groups, directions, dtype):
    y, z, weight = normal(1 + directions, length, width), normal(1 + directions, length, width, seed=1), normal(width)
    given = [tensor.to(DEVICE, dtype) for tensor in (y, z, weight)]
    y, z, weight = (tensor.double().cpu() for tensor in given)
    out_bar = normal(length, width, seed=2).to(DEVICE, dtype)
    results = {"jvp": gated_cuda.jvp(*given, 1e-2, groups)}
    exact = {"jvp": gated_reference.jvp(y, z, weight, 1e-2, groups)}
    single = (given[0][0], given[1][0], given[2], 1e-2, groups)
    results["forward"], exact["forward"] = gated_cuda.forward(*single), exact["jvp"][0]
    results |= gated_cuda.vjp(*single, out_bar)._asdict()
    exact |= gated_reference.vjp(y[0], z[0], weight, 1e-2, groups, out_bar.double().cpu())._asdict()
    assert_equal(results, exact, BOUND[dtype])
