"""Denormals come out as zero on every thread while a sweep flushes them, and are untouched otherwise.

Each number here is a product of normal numbers whose exact value lies among the denormals of its format.
"""

import subprocess
import sys

import pytest
import torch

from pgf_cli.core.directions import Contrast
from pgf_cli.core.ops import frechet_scan, selective_scan
from pgf_cli.core.ops._numba.scan_loops import BLOCK
from pgf_cli.core.ops.linear import PANEL_ROWS, linear
from pgf_cli.core.sweeps import tangent_sweep
from pgf_cli.core.threads import available_threads, flush_denormals, for_each, set_threads

SMALL = {torch.float32: 2.0**-125, torch.float64: 2.0**-1021}
"""Close above the smallest normal number."""

flushing = pytest.mark.skipif(not torch.set_flush_denormal(False), reason="this processor cannot flush denormals")


@pytest.fixture
def four_threads():
    set_threads(4)
    yield
    set_threads(available_threads())


def decaying_scan(operator, dtype):
    """A step that multiplies a small tangent by e^(-4 softplus(1)) and adds nothing, whatever the operator."""
    length, inner, state = 1, 8 * BLOCK, 3
    zeros, ones = (torch.full((length, state), value, dtype=dtype) for value in (0.0, 1.0))
    still = torch.zeros(length, inner, dtype=dtype)
    A = torch.full((inner, state), -4.0, dtype=dtype)
    # The gate of the one, the factor of the other.
    own = still + 1 if operator is selective_scan else torch.ones((), dtype=dtype)
    primal = operator.Scan(still + 1, A, zeros, ones, still[0], still, own, torch.zeros_like(A))
    dot = operator.Scan(*(torch.zeros(1, *tensor.shape, dtype=dtype) for tensor in primal))
    return primal, dot._replace(h=torch.full((1, inner, state), SMALL[dtype], dtype=dtype))


@flushing
@pytest.mark.usefixtures("four_threads")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("operator", [selective_scan, frechet_scan])
def test_a_tangent_that_decays_below_the_normal_numbers_is_zero_in_every_block(operator, dtype):
    with flush_denormals():
        dual = operator.jvp(*decaying_scan(operator, dtype))
    assert torch.count_nonzero(dual.h_dot) == 0
    assert torch.count_nonzero(dual.y[1:]) == 0


@flushing
@pytest.mark.usefixtures("four_threads")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("operator", [selective_scan, frechet_scan])
def test_compiled_loops_keep_denormals_on_every_thread_for_a_caller_that_does(operator, dtype):
    dual = operator.jvp(*decaying_scan(operator, dtype))
    assert torch.count_nonzero(dual.h_dot) == dual.h_dot.numel()


@flushing
@pytest.mark.usefixtures("four_threads")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_matrix_products_flush_in_every_panel(dtype):
    rows = torch.full((16 * PANEL_ROWS, 8), SMALL[dtype], dtype=dtype)
    weight = torch.full((8, 8), 2.0**-10, dtype=dtype)
    with flush_denormals():
        assert torch.count_nonzero(linear(rows, weight)) == 0


@flushing
@pytest.mark.parametrize("threads", [1, 4])
def test_denormals_are_flushed_in_the_caller_and_in_the_pool_and_then_no_longer_in_the_caller(threads):
    smallest = torch.tensor([torch.finfo(torch.float32).tiny])
    set_threads(threads)
    halves = [1.0] * 16

    def halve(index: int) -> None:
        halves[index] = (smallest / 2).item()

    with flush_denormals():
        for_each(halve, len(halves))
        assert (smallest / 2).item() == 0
        with flush_denormals():
            pass
        assert (smallest / 2).item() == 0
    set_threads(available_threads())
    assert halves == [0.0] * 16
    assert (smallest / 2).item() > 0


@flushing
def test_a_sweep_flushes_while_it_computes_and_not_in_its_consumer_s_code(toy_mamba, dna):
    smallest, seen = sys.float_info.min, []
    right = toy_mamba.jvp
    toy_mamba.jvp = lambda *arguments: (seen.append(smallest / 2), right(*arguments))[1]
    for _ in tangent_sweep(toy_mamba, dna(20), Contrast(), end=20, tile=7):
        assert smallest / 2 > 0
    assert seen == [0.0] * 3


def test_importing_the_package_leaves_the_float_environment_alone():
    program = (
        "import sys, pgf_cli.core.sweeps, pgf_cli.core.models, pgf_cli.core.threads;"
        "sys.exit(float(sys.argv[1]) / 2 == 0.0)"
    )
    smallest = str(sys.float_info.min)
    assert subprocess.run([sys.executable, "-c", program, smallest], check=False).returncode == 0
