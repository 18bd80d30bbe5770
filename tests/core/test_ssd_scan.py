"""The scan of Mamba-2: the loop against torch.func, the chunk form against the loop, in float64 and float32."""

import math

import pytest
import torch
from ssd_scans import as_dtype, normal, random_scan

from pgf_cli.core.certificate import relative_error
from pgf_cli.core.ops import ssd_scan
from pgf_cli.core.ops.ssd_scan import Scan, pieces, reference
from pgf_cli.core.threads import set_threads

BOUNDS = {torch.float64: 1e-12, torch.float32: 1e-5}
LENGTHS = [1, 2, 3, pieces.CHUNK - 1, pieces.CHUNK, pieces.CHUNK + 1, 2 * pieces.CHUNK + 2]

both_dtypes = pytest.mark.parametrize("dtype", BOUNDS, ids=str)


def assert_close(found, exact, bound):
    """Relative, but for what a stiff state leaves nothing of: inputs are of size 1."""
    for name, value in found._asdict().items():
        expected = getattr(exact, name)
        assert value.shape == expected.shape, name
        assert (value.double() - expected).norm() <= bound * max(expected.norm(), 1e-3), name


def definition(delta, A, B, C, D, u, h):
    """The recurrence in its closed form, h_t as a sum over all earlier bases."""
    share = len(A) // B.shape[1]
    B, C = B.repeat_interleave(share, 1), C.repeat_interleave(share, 1)
    z = delta * A
    rows = []
    for t in range(len(u)):
        left = torch.stack([torch.exp(z[s + 1 : t + 1].sum(0)) for s in range(t + 1)])
        h_t = torch.einsum("sh,shp,shn->hpn", left * delta[: t + 1], u[: t + 1], B[: t + 1])
        h_t = h_t + torch.exp(z[: t + 1].sum(0))[:, None, None] * h
        rows.append(torch.einsum("hpn,hn->hp", h_t, C[t]) + D * u[t])
    return torch.stack(rows), h_t


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_the_loop_and_its_derivatives_are_those_of_the_closed_form_by_torch_func(groups):
    primal, dot = random_scan(7, groups=groups)
    y, h = definition(*primal)
    for found, exact in zip(reference.forward(primal), (y, h), strict=True):
        assert relative_error(found, exact) < 1e-13
    dual = reference.jvp(primal, dot)
    for k in range(2):
        along = Scan(*(part[k] for part in dot))._replace(A=torch.zeros_like(dot.A), D=torch.zeros_like(dot.D))
        (y, h), (y_dot, h_dot) = torch.func.jvp(definition, tuple(primal), tuple(along))
        assert relative_error(dual.y[0], y) < 1e-13
        assert relative_error(dual.y[1 + k], y_dot) < 1e-12
        assert relative_error(dual.h, h) < 1e-13
        assert relative_error(dual.h_dot[k], h_dot) < 1e-12
    (y, h), pull_back = torch.func.vjp(definition, *primal)
    y_bar, h_bar = normal(*y.shape), normal(*h.shape)
    assert_close(reference.vjp(primal, y_bar, h_bar), Scan(*pull_back((y_bar, h_bar))), 1e-12)


@both_dtypes
@pytest.mark.parametrize("a_log", [-8.0, 0.0, 6.0])
@pytest.mark.parametrize("length", LENGTHS)
def test_chunks_equal_the_loop_for_any_length_and_stiffness(length, a_log, dtype):
    primal, dot = random_scan(length, a_log)
    y_bar, h_bar = normal(*primal.u.shape) + 1, normal(*primal.h.shape)
    exact_dual, exact_bars = reference.jvp(primal, dot), reference.vjp(primal, y_bar, h_bar)
    primal, dot = as_dtype(primal, dtype), as_dtype(dot, dtype)
    y, h, edges = ssd_scan.forward(primal)
    dual = ssd_scan.jvp(primal, dot)
    assert_close(dual, exact_dual, BOUNDS[dtype])
    assert torch.equal(y, dual.y[0])
    assert torch.equal(h, dual.h)
    assert_close(ssd_scan.vjp(primal, edges, y_bar.to(dtype), h_bar.to(dtype)), exact_bars, BOUNDS[dtype])


@pytest.mark.parametrize(
    "sizes",
    [
        {"heads": 1, "groups": 1, "head_dim": 1, "state": 1},
        {"heads": 4, "groups": 4, "head_dim": 5, "state": 2},
        {"directions": 0},
        {"heads": 3, "groups": 1, "directions": 5},
    ],
    ids=str,
)
def test_chunks_equal_the_loop_for_any_size(sizes):
    primal, dot = random_scan(pieces.CHUNK + 7, **sizes)
    y_bar, h_bar = normal(*primal.u.shape), normal(*primal.h.shape)
    assert_close(ssd_scan.jvp(primal, dot), reference.jvp(primal, dot), 1e-12)
    bars = ssd_scan.vjp(primal, ssd_scan.forward(primal).edges, y_bar, h_bar)
    assert_close(bars, reference.vjp(primal, y_bar, h_bar), 1e-12)


def test_the_number_of_threads_changes_no_byte():
    primal, dot = (
        as_dtype(part, torch.float32) for part in random_scan(3 * pieces.CHUNK, heads=3, groups=3, head_dim=17)
    )
    y_bar, h_bar = normal(*primal.u.shape).float(), normal(*primal.h.shape).float()

    def results():
        bars = ssd_scan.vjp(primal, ssd_scan.forward(primal).edges, y_bar, h_bar)
        return [*ssd_scan.jvp(primal, dot), *bars]

    try:
        set_threads(1)
        alone = results()
        set_threads(3)
        assert all(torch.equal(a, b) for a, b in zip(alone, results(), strict=True))
    finally:
        set_threads(1)


def test_a_stiff_step_does_not_drown_the_slow_ones_beside_it():
    """The bound holds for what was fed after the step, which differences of cumulative sums would spoil."""
    primal, dot = random_scan(pieces.CHUNK, -6.0)
    primal.delta[20], primal.u[:21] = 3e7, 0.0
    dot.u[:, :21], dot.delta[:, :21] = 0.0, 0.0
    exact = reference.jvp(primal, dot)
    found = ssd_scan.jvp(as_dtype(primal, torch.float32), as_dtype(dot, torch.float32))
    assert relative_error(found.y[:, 21:].double(), exact.y[:, 21:]) < 1e-6


@pytest.mark.parametrize("tile", [3, 64, 1000])
def test_a_slow_state_keeps_its_digits_over_ten_thousand_bases_in_float32(tile):
    """With everything constant the state is a geometric series: delta u B (1 - a^L) / (1 - a)."""
    length, one = 10_000, torch.ones
    delta, A = torch.full((length, 1), 0.03), -torch.exp(torch.tensor([-8.0]))
    h = torch.zeros(1, 1, 1)
    for step in delta.split(tile):
        maps = one(len(step), 1, 1)
        h = ssd_scan.forward(Scan(step, A, maps, maps, one(1, 1), maps, h)).h
    z = delta[0, 0].item() * A.item()
    exact = delta[0, 0].item() * math.expm1(length * z) / math.expm1(z)
    assert abs(h.item() / exact - 1) < 1e-5


def test_pieces_cover_a_tile_once():
    for length in (1, pieces.CHUNK, pieces.CHUNK + 1, 3 * pieces.CHUNK + 8):
        for cut in (pieces.by_chunk_and_group(length, 2), pieces.whole_and_rest(length)):
            counts, states = torch.zeros(length, 2, 3), torch.zeros(-(-length // pieces.CHUNK), 2)
            for piece in cut:
                piece.rows(counts).add_(1)
                piece.states(states).add_(1)
            assert (counts == 1).all()
            assert (states == 1).all()
