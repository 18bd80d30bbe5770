"""The adjoint sweep against autograd of the whole sequence's plain definition, and against the tangent sweep."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, jvp

from pgf_cli.core.certificate import relative_error
from pgf_cli.core.directions import RandomNormal
from pgf_cli.core.models.protocol import StreamingModel, map_state
from pgf_cli.core.objectives import Logit, LogLikelihood, SumOutputs, Targets
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.sweeps import adjoint_sweep, tangent_sweep
from pgf_cli.core.sweeps.snapshots import leaves
from pgf_cli.core.threads import available_threads, set_threads

CPU = torch.device("cpu")
SPLIT_TARGETS = Targets([(3, 9), (30, 61), (64, 65)])


def log_likelihood(targets=None, dtype=torch.float64):
    return LogLikelihood(targets, dtype, CPU)


class LookaheadModel(StreamingModel):
    """A non-linear recurrence whose initial state is a function of the first two inputs; no analytic derivative."""

    lookahead = 2

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.weight = nn.Parameter(torch.randn(5, 3, generator=generator, dtype=torch.float64), requires_grad=False)

    def initial_state(self, first):
        return torch.tanh((first @ self.weight).sum(0))

    def forward(self, x, state):
        rows = []
        for row in x @ self.weight:
            state = torch.sin(0.9 * state + row)
            rows.append(state)
        return torch.stack(rows), state


class Weighted:
    """phi = <w, y> for a given w (L, C)."""

    def __init__(self, w):
        self.w = w

    def weights(self, start, codes, following):
        return self.w[start : start + len(codes)]


class Whole(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x, self.model.initial_state(x[: self.model.lookahead]))[0]


def by_autograd(model, codes, objective):
    """phi, x_bar and every parameter's gradient of the whole sequence at once; at N x_bar is zero by definition."""
    x = one_hot(codes, torch.float64, CPU).requires_grad_()
    weights = {f"model.{name}": weight.clone().requires_grad_() for name, weight in model.named_parameters()}
    phi = (objective.weights(0, codes, None) * functional_call(Whole(model), weights, (x,))).sum()
    if not phi.requires_grad:
        return 0.0, torch.zeros_like(x), {name: torch.zeros_like(weight) for name, weight in model.named_parameters()}
    x_bar, *bars = torch.autograd.grad(phi, (x, *weights.values()), materialize_grads=True)
    x_bar[torch.from_numpy(codes == 4)] = 0
    x_bar[:, 4] = 0
    names = (name.removeprefix("model.") for name in weights)
    return phi.item(), x_bar, dict(zip(names, bars, strict=True))


def by_sweep(model, codes, objective, tile, **options):
    sweep = adjoint_sweep(model, codes, objective, **({"end": len(codes), "tile": tile, "parameters": True} | options))
    tiles = list(sweep)
    assert [part.start for part in tiles] == sorted((part.start for part in tiles), reverse=True)
    return sweep, torch.cat([part.x_bar for part in reversed(tiles)])


def assert_equals_autograd(model, codes, objective, tile, **options):
    sweep, x_bar = by_sweep(model, codes, objective, tile, **options)
    phi, expected, parameters = by_autograd(model, codes, objective)
    assert sweep.value == pytest.approx(phi, rel=1e-12, abs=1e-13)
    torch.testing.assert_close(x_bar, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(sweep.parameter_bars, parameters, rtol=1e-10, atol=1e-11)


def edge_lengths(tile):
    return sorted({length for length in (1, 2, tile - 1, tile, tile + 1, 3 * tile + 1) if length})


@pytest.mark.parametrize(("tile", "length"), [(tile, length) for tile in (1, 7, 64) for length in edge_lengths(tile)])
def test_every_gradient_equals_autograd_of_the_whole_sequence_wherever_tiles_end(tile, length, toy_mamba, dna):
    assert_equals_autograd(toy_mamba, dna(length), log_likelihood(), tile)


@pytest.mark.parametrize("length", [1, 2, 999, 1000, 1001, 3001])
def test_tiles_of_a_thousand(length, make_mamba, dna):
    assert_equals_autograd(make_mamba(n_layer=1), dna(length), log_likelihood(), 1000)


@pytest.mark.parametrize("tile", [4, 64])
@pytest.mark.parametrize(
    ("output", "objective"),
    [
        ("logprobs", log_likelihood(SPLIT_TARGETS)),
        ("logits", Logit(SPLIT_TARGETS, 2, 8, torch.float64, CPU)),
        ("hidden", SumOutputs(SPLIT_TARGETS, 12, torch.float64, CPU)),
    ],
)
def test_target_regions_that_begin_and_end_inside_tiles_and_runs_of_n_longer_than_one(
    output, objective, tile, make_mamba, dna
):
    assert_equals_autograd(make_mamba(output), dna(80, n_run=10), objective, tile)


@pytest.mark.parametrize("tile", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("length", [1, 2, 50])
def test_any_streaming_model_gets_its_exact_gradient_lookahead_included(tile, length, dna):
    # No N among the first two: the gradient by the initial state must not be hidden.
    objective = SumOutputs(Targets([(0, 1), (20, 45)]), 3, torch.float64, CPU)
    assert_equals_autograd(LookaheadModel(), dna(length, n_run=5 if length > 9 else 0), objective, tile)


@pytest.mark.parametrize("tile", [1, 2, 1000])
def test_an_n_that_the_initial_state_looks_ahead_to_gets_no_gradient_from_it_either(tile):
    codes = np.array([4, 2, 1, 0, 3], dtype=np.uint8)
    assert_equals_autograd(LookaheadModel(), codes, SumOutputs(None, 3, torch.float64, CPU), tile)


def test_the_gradient_by_the_initial_state_is_that_of_torch_func(toy_mamba, dna):
    codes, objective = dna(40), log_likelihood()
    x = one_hot(codes, torch.float64, CPU)
    sweep, _ = by_sweep(toy_mamba, codes, objective, 16)
    w = objective.weights(0, codes, None)
    state = toy_mamba.initial_state(x[:0])
    zeros = map_state(torch.zeros_like, state)
    expected = StreamingModel.vjp(toy_mamba, x, state, w, zeros).state_bar
    torch.testing.assert_close(sweep.state_bar, expected, rtol=1e-10, atol=1e-12)


def test_a_sweep_that_starts_inside_a_record_takes_targets_in_the_record_s_coordinates(toy_mamba, dna):
    codes = dna(90)
    inside, x_bar = by_sweep(toy_mamba, codes, log_likelihood(Targets([(50, 70)])), 16, start=40, end=80)
    alone, expected = by_sweep(toy_mamba, codes[40:80], log_likelihood(Targets([(10, 30)])), 40)
    assert inside.value == pytest.approx(alone.value, rel=1e-13)
    torch.testing.assert_close(x_bar, expected, rtol=1e-11, atol=1e-13)


def test_the_output_comes_with_the_gradient_also_right_of_the_last_target(toy_mamba, dna, monkeypatch):
    codes = dna(70)
    right, pulled = type(toy_mamba).vjp, []
    monkeypatch.setattr(type(toy_mamba), "vjp", lambda *a, **k: (pulled.append(1), right(*a, **k))[1])
    tiles = list(adjoint_sweep(toy_mamba, codes, log_likelihood(Targets([(25, 35)])), end=70, tile=10))
    assert len(pulled) == 4  # those that begin at 0, 10, 20 and 30
    expected = Whole(toy_mamba)(one_hot(codes, torch.float64, CPU))
    torch.testing.assert_close(torch.cat([part.y for part in reversed(tiles)]), expected, rtol=1e-11, atol=1e-12)
    assert all((part.x_bar == 0).all() for part in tiles if part.start > 34)


def test_a_sweep_can_be_iterated_again(toy_mamba, dna):
    sweep = adjoint_sweep(toy_mamba, dna(50), log_likelihood(), end=50, tile=16, parameters=True)
    results = [(list(sweep)[-1].x_bar, sweep.value, sweep.parameter_bars) for _ in range(2)]
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=0)


@pytest.mark.parametrize("tile", [7, 1000])
def test_adjoint_and_tangent_sweep_are_transposes_of_each_other(tile, toy_mamba, dna):
    codes, v = dna(300, n_run=40), RandomNormal(1, seed=1, contig="c")
    w = torch.randn(300, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    y_dot = torch.cat([part.y_dot[0] for part in tangent_sweep(toy_mamba, codes, v, end=300, tile=64)])
    _, x_bar = by_sweep(toy_mamba, codes, Weighted(w), tile)
    along = (x_bar * v.tangents(0, one_hot(codes, torch.float64, CPU))[0]).sum()
    assert abs((w * y_dot).sum() - along) <= 1e-12 * y_dot.norm()


def test_adjoint_of_a_model_with_lookahead_is_the_transpose_of_its_tangent(dna):
    model, codes, v = LookaheadModel(), dna(60), RandomNormal(1, seed=1, contig="c")
    x = one_hot(codes, torch.float64, CPU)
    direction = v.tangents(0, x)[0]
    y_dot = jvp(Whole(model), (x,), (direction,))[1]
    w = torch.randn(60, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    _, x_bar = by_sweep(model, codes, Weighted(w), 7)
    assert abs((w * y_dot).sum() - (x_bar * direction).sum()) <= 1e-12 * y_dot.norm()


@pytest.mark.parametrize("tile", [7, 64, 1000])
def test_float32_gradients_are_good_to_1e_5_whatever_the_tile(tile, toy_mamba, dna):
    codes = dna(400, n_run=70)
    exact, exact_bar = by_sweep(toy_mamba, codes, log_likelihood(), 400)
    single, x_bar = by_sweep(toy_mamba.to(torch.float32), codes, log_likelihood(dtype=torch.float32), tile)
    assert relative_error(x_bar, exact_bar) <= 1e-5
    for name, bar in exact.parameter_bars.items():
        assert relative_error(single.parameter_bars[name], bar) <= 1e-5, name
        assert single.parameter_bars[name].dtype == torch.float32


def test_the_number_of_threads_does_not_change_a_byte(make_mamba, dna):
    model, codes = make_mamba(d_model=36, d_inner=140, dt_rank=5).to(torch.float32), dna(700)
    results = []
    for threads in (1, 2, 4):
        set_threads(threads)
        sweep, x_bar = by_sweep(model, codes, log_likelihood(dtype=torch.float32), 301)
        tensors = [x_bar, *sweep.parameter_bars.values(), *leaves(sweep.state_bar)]
        results.append((sweep.value, b"".join(tensor.numpy().tobytes() for tensor in tensors)))
    set_threads(available_threads())
    assert results[0] == results[1] == results[2]


@pytest.mark.skipif(not torch.set_flush_denormal(False), reason="this processor cannot flush denormals")
def test_far_left_of_its_only_target_the_gradient_is_zero_and_never_denormal(toy_mamba, dna):
    model, codes = toy_mamba.to(torch.float32), dna(2000)
    objective = log_likelihood(Targets([(1990, 2000)]), torch.float32)
    sweep, x_bar = by_sweep(model, codes, objective, 100)
    sizes = torch.cat([x_bar.flatten(), *(leaf.flatten() for leaf in leaves(sweep.state_bar))]).abs()
    assert (sizes[:1000] == 0).all()
    assert sizes[sizes > 0].min() >= torch.finfo(torch.float32).tiny
