"""Sweeps on a CUDA device against the same sweeps on the CPU in float64, with the very same weights."""

import copy

import pytest
import torch

from pgf_cli.core.certificate import relative_error
from pgf_cli.core.directions import Contrast, Pulse, Pulses, RandomNormal
from pgf_cli.core.models.frechet import FrechetConfig, FrechetModel
from pgf_cli.core.models.protocol import StreamingModel
from pgf_cli.core.objectives import LogLikelihood, SumOutputs, Targets
from pgf_cli.core.sweeps import adjoint_sweep, graphs, tangent_sweep
from pgf_cli.core.sweeps.snapshots import leaves

pytestmark = pytest.mark.gpu

CPU = torch.device("cpu")
TILE = 64
LONG = 30 * TILE + 17
"""Full tiles are replayed, the ragged last one is not."""
dtypes = pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])


class TorchFunc(StreamingModel):
    """A non-linear recurrence without formulas of its own, so never recorded; it looks two bases ahead."""

    lookahead = 2

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.weight = torch.nn.Parameter(torch.randn(5, 3, generator=generator))

    def initial_state(self, first):
        return torch.tanh((first @ self.weight).sum(0))

    def forward(self, x, state):
        rows = []
        for row in x @ self.weight:
            state = torch.sin(0.9 * state + row)
            rows.append(state)
        return torch.stack(rows), state


@pytest.fixture(params=["mamba", "frechet", "torch.func"])
def model(request, make_mamba):
    if request.param == "mamba":
        return make_mamba()
    torch.manual_seed(5)
    frechet = request.param == "frechet"
    made = FrechetModel(FrechetConfig(d_model=6, d_state=3, embedded=True)) if frechet else TorchFunc()
    return made.requires_grad_(False)


@pytest.fixture
def recorded(monkeypatch):
    """One entry for each graph that was recorded."""
    seen, record = [], graphs.record
    monkeypatch.setattr(graphs, "record", lambda launch: (seen.append(launch), record(launch))[1])
    return seen


def on_both(model, dtype):
    """The model in float64 on the CPU, its weights rounded to dtype, and in dtype on the device."""
    rounded = model.to(dtype)
    return copy.deepcopy(rounded).to(torch.float64), rounded.to("cuda")


def assert_equal_tiles(tiles, expected, parts, bound):
    assert [tile.start for tile in tiles] == [tile.start for tile in expected]
    for part in parts:
        got, wanted = (torch.cat([getattr(tile, part) for tile in side], dim=-2) for side in (tiles, expected))
        assert got.device == CPU
        assert relative_error(got, wanted) <= bound


@dtypes
@pytest.mark.parametrize("direction", [Contrast(), RandomNormal(4, 1, "chr1")], ids=["K=1", "K=4"])
@pytest.mark.parametrize("length", [1, 63, 64, 65, LONG])
def test_tangents_are_those_of_the_cpu(length, direction, dtype, bound, model, dna, recorded):
    codes, (exact, fast) = dna(length, n_run=min(9, length // 3)), on_both(model, dtype)
    tiles, expected = (list(tangent_sweep(m, codes, direction, end=length, tile=TILE)) for m in (fast, exact))
    assert_equal_tiles(tiles, expected, ("y", "y_dot"), bound)
    assert len(recorded) == (length == LONG and not isinstance(model, TorchFunc))


@dtypes
@pytest.mark.parametrize("ghost_distance", [TILE, 100])
def test_ghosts_are_those_of_the_cpu(ghost_distance, dtype, bound, model, dna, recorded):
    codes, (exact, fast) = dna(LONG, n_run=9), on_both(model, dtype)
    where = {"end": LONG, "tile": TILE, "ghost_distance": ghost_distance}
    tiles, expected = (list(tangent_sweep(m, codes, Contrast(), **where)) for m in (fast, exact))
    assert_equal_tiles(tiles, expected, ("y", "y_dot", "ghost_dot"), bound)
    # Blocks of 100 bases are tiles of 64 and 36.
    assert len(recorded) == (0 if isinstance(model, TorchFunc) else 1 + (ghost_distance == 100))


@dtypes
def test_separate_pulses_are_those_of_the_cpu_before_and_after_they_begin(dtype, bound, model, dna):
    codes, (exact, fast) = dna(LONG), on_both(model, dtype)
    pulses = Pulses([Pulse(15 * TILE + 3), Pulse(20 * TILE, alt=2)], separate=True)
    tiles, expected = (list(tangent_sweep(m, codes, pulses, end=LONG, tile=TILE)) for m in (fast, exact))
    assert_equal_tiles(tiles, expected, ("y", "y_dot"), bound)


@dtypes
@pytest.mark.parametrize("targets", [None, Targets([(10, 40), (1500, 1505)])], ids=["all", "some"])
@pytest.mark.parametrize("length", [1, 63, 64, 65, LONG])
def test_gradients_are_those_of_the_cpu(length, targets, dtype, bound, model, dna, tmp_path):
    codes, pair = dna(length), on_both(model, dtype)
    sweeps = []
    for m in pair:
        channels = 6 if isinstance(model, FrechetModel) else 3
        likely = getattr(model, "output", None) == "logprobs"
        objective = LogLikelihood(targets, m.dtype, CPU) if likely else SumOutputs(targets, channels, m.dtype, CPU)
        sweep = adjoint_sweep(m, codes, objective, end=length, tile=TILE, budget=10**5, folder=tmp_path)
        sweeps.append((sweep, list(sweep)))
    (exact, expected), (fast, tiles) = sweeps
    assert_equal_tiles(tiles, expected, ("y", "x_bar"), bound)
    assert fast.value == pytest.approx(exact.value, rel=bound)
    for bar, wanted in zip(leaves(fast.state_bar), leaves(exact.state_bar), strict=True):
        assert relative_error(bar.cpu(), wanted) <= bound


@pytest.mark.parametrize("direction", [Contrast(), RandomNormal(4, 1, "chr1")], ids=["K=1", "K=4"])
def test_replays_give_what_launching_gives(direction, toy_mamba, dna, recorded, monkeypatch):
    model, codes = toy_mamba.to("cuda"), dna(LONG)
    where = {"end": LONG, "tile": TILE, "ghost_distance": 100}
    replayed = list(tangent_sweep(model, codes, direction, **where))
    assert len(recorded) == 2
    monkeypatch.setattr(graphs, "RUNS_BEFORE_RECORDING", LONG)
    launched = list(tangent_sweep(model, codes, direction, **where))
    assert len(recorded) == 2
    assert_equal_tiles(replayed, launched, ("y", "y_dot", "ghost_dot"), 1e-12)
