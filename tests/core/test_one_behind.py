"""How sweeps on a device are ordered, and that tiles are replayed on the right data, with a stand-in for the device.

The stand-in computes on the CPU, but hands results over only when they are waited for, and its recorder fills the
same tensors at each replay. Expected values are those of the plain sweep on the CPU.
"""

import pytest
import torch

from pgf_cli.core.directions import Contrast, Pulse, Pulses, RandomNormal
from pgf_cli.core.models.protocol import StreamingModel
from pgf_cli.core.objectives import LogLikelihood, Targets
from pgf_cli.core.sweeps import adjoint_sweep, graphs, tangent_sweep
from pgf_cli.core.sweeps.device import HostLink, one_behind
from pgf_cli.core.sweeps.graphs import RUNS_BEFORE_RECORDING, Replayed
from pgf_cli.core.sweeps.snapshots import leaves

LENGTH, TILE = 30 * 16 + 5, 16


def refilling(log):
    """Return a recorder like that of CUDA graphs: a replay computes again and overwrites what it filled before."""

    def recorder(launch):
        filled = launch()
        log.append("recorded")

        def replay():
            for old, new in zip(leaves(filled), leaves(launch()), strict=True):
                old.copy_(new)
            log.append("replayed")

        return replay, filled

    return recorder


class LateLink(HostLink):
    """A device beside the host: what it returns is complete when it was waited for, and is NaN until then."""

    log: list[str]

    def __init__(self, device):
        super().__init__(device)
        self._apart = False

    def to_host(self, *tensors):
        self.log.append("launch")
        here = tuple(torch.full_like(tensor, torch.nan) for tensor in tensors)

        def wait():
            self.log.append("wait")
            for late, tensor in zip(here, tensors, strict=True):
                late.copy_(tensor)
            return here

        return wait

    def finished(self, launches):
        return one_behind(launches)


@pytest.fixture
def late_device(monkeypatch):
    """Make sweeps run as on a device; return the log of what happened."""
    log: list[str] = []
    monkeypatch.setattr(LateLink, "log", log, raising=False)
    monkeypatch.setattr("pgf_cli.core.sweeps.tangent.HostLink", LateLink)
    monkeypatch.setattr("pgf_cli.core.sweeps.adjoint.HostLink", LateLink)
    monkeypatch.setattr(graphs, "_can_be_recorded", lambda model, verb: True)
    monkeypatch.setattr(graphs, "record", refilling(log))
    return log


def test_each_result_is_waited_for_after_the_next_launch_and_before_the_one_after_that():
    log = []

    def launches():
        for index in range(3):
            log.append(f"launch {index}")
            yield lambda index=index: log.append(f"finish {index}") or index

    for result in one_behind(launches()):
        log.append(f"take {result}")
    assert log == [
        *("launch 0", "launch 1", "finish 0", "take 0"),
        *("launch 2", "finish 1", "take 1", "finish 2", "take 2"),
    ]


def test_nothing_launched_gives_nothing():
    assert list(one_behind([])) == []


@pytest.mark.parametrize("ghost_distance", [None, 40])
@pytest.mark.parametrize(
    "direction", [Contrast(), RandomNormal(4, 1, "chr1"), Pulses([Pulse(200), Pulse(300)], separate=True)]
)
def test_tangents_and_ghosts_replayed_one_behind_are_those_of_the_plain_sweep(
    direction, ghost_distance, toy_mamba, dna, request
):
    where = {"end": LENGTH, "tile": TILE, "ghost_distance": ghost_distance}
    expected = list(tangent_sweep(toy_mamba, dna(LENGTH, n_run=9), direction, **where))
    log = request.getfixturevalue("late_device")
    tiles = list(tangent_sweep(toy_mamba, dna(LENGTH, n_run=9), direction, **where))
    assert "replayed" in log
    assert log.count("wait") == len(tiles) == len(expected)
    for tile, plain in zip(tiles, expected, strict=True):
        assert tile.start == plain.start
        for got, wanted in zip(tile[2:5], plain[2:5], strict=True):
            assert got is wanted is None or torch.equal(got, wanted)
        assert tile.after.position == plain.after.position


@pytest.mark.parametrize("targets", [None, Targets([(100, 130), (170, 175)])])
def test_gradients_replayed_one_behind_are_those_of_the_plain_sweep(targets, toy_mamba, dna, request):
    def swept():
        objective = LogLikelihood(targets, torch.float64, torch.device("cpu"))
        sweep = adjoint_sweep(toy_mamba, dna(LENGTH), objective, end=LENGTH, tile=TILE, budget=10**5)
        return sweep, list(sweep)

    plain, expected = swept()
    log = request.getfixturevalue("late_device")
    sweep, tiles = swept()
    assert "recorded" in log
    assert sweep.value == plain.value
    assert [tile.start for tile in tiles] == [tile.start for tile in expected]
    for tile, other in zip(tiles, expected, strict=True):
        assert torch.equal(tile.y, other.y)
        assert torch.equal(tile.x_bar, other.x_bar)
    assert all(map(torch.equal, leaves(sweep.state_bar), leaves(plain.state_bar)))


def test_a_tile_on_a_device_is_yielded_once_the_next_is_launched(late_device, toy_mamba, dna):
    seen = [late_device.count("launch") for _ in tangent_sweep(toy_mamba, dna(50), Contrast(), end=50, tile=10)]
    assert seen == [2, 3, 4, 5, 5]


def test_a_tile_on_the_cpu_is_yielded_before_the_next_is_computed(toy_mamba, dna):
    calls, right = [], toy_mamba.jvp
    toy_mamba.jvp = lambda *arguments: (calls.append(None), right(*arguments))[1]
    assert [len(calls) for _ in tangent_sweep(toy_mamba, dna(50), Contrast(), end=50, tile=10)] == [1, 2, 3, 4, 5]


def test_a_shape_is_recorded_once_after_some_runs_and_others_run_as_usual():
    log = []
    double = Replayed(lambda x: (2 * x,), refilling(log))
    for _ in range(RUNS_BEFORE_RECORDING):
        double(torch.ones(3))
        double(torch.ones(2))
    assert log == []
    results = [double(torch.full((3,), float(index)))[0] for index in range(3)]
    double(torch.ones(4))
    assert log == ["recorded"] + 3 * ["replayed"]
    # A result of a replay outlives the next one.
    assert torch.equal(torch.stack(results), torch.tensor([[0.0], [2.0], [4.0]]).expand(3, 3))


class Plain(StreamingModel):
    """A model whose derivatives are those of ``torch.func``."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(5, 2))

    def initial_state(self, first):
        return self.weight.new_zeros(2)

    def forward(self, x, state):
        return x @ self.weight + state, state


def test_on_a_cuda_device_a_family_s_own_formulas_are_replayed_and_those_of_torch_func_are_not(toy_mamba, monkeypatch):
    monkeypatch.setattr(StreamingModel, "device", torch.device("cuda:0"))
    assert isinstance(graphs.replayed_jvp(toy_mamba), Replayed)
    plain = Plain()
    assert graphs.replayed_jvp(plain) == plain.jvp
    assert graphs.replayed_vjp(plain, parameters=False).func == plain.vjp
    assert graphs.replayed_vjp(toy_mamba, parameters=True).func == toy_mamba.vjp
