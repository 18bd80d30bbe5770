"""Schedules against the best possible ones, found by trying all; and what a sweep under a small budget does."""

from functools import cache

import pytest
import torch

from pgf_cli.core.models.protocol import map_state
from pgf_cli.core.objectives import LogLikelihood
from pgf_cli.core.sweeps.adjoint import adjoint_sweep
from pgf_cli.core.sweeps.snapshots import (
    SnapshotBudgetError,
    SnapshotFileError,
    leaves,
    make_schedule,
    open_store,
    walk_back,
)

CPU = torch.device("cpu")
STATE = (torch.zeros(3, dtype=torch.float64),)
STATE_BYTES = 24


@cache
def fewest_forward_tiles(tiles, slots):
    """By dynamic programming over all places of the next snapshot, the state before tile 0 being one of the slots."""
    if tiles == 1:
        return 0
    choices = range(1, tiles) if slots > 1 else [tiles - 1]
    return min(
        to + (fewest_forward_tiles(tiles - to, slots - 1) if tiles - to > 1 else 0) + fewest_forward_tiles(to, slots)
        for to in choices
    )


def walk(tiles, budget):
    """Walk back over tiles of which each adds one to a counter; return the schedule and how often each was read."""
    schedule = make_schedule(tiles, STATE, budget)
    reads = [0] * tiles

    def advance(tile, state):
        assert state[0][0] == tile
        reads[tile] += 1
        return (state[0] + 1,)

    with open_store(None, STATE, schedule) as store:
        order = [(tile, state[0][0].item()) for tile, state in walk_back(schedule, STATE, advance, store)]
        assert order == [(tile, tile) for tile in reversed(range(tiles))]
        assert sum(block.untyped_storage().nbytes() for block in leaves(store._slots)) <= max(budget, STATE_BYTES)
    return schedule, reads


@pytest.mark.parametrize("slots", [2, 3, 5, 9])
@pytest.mark.parametrize("tiles", [1, 2, 3, 4, 7, 12, 25, 40])
def test_no_schedule_needs_fewer_forward_tiles_and_the_count_is_right(tiles, slots):
    schedule, reads = walk(tiles, slots * STATE_BYTES)
    assert sum(reads) == fewest_forward_tiles(tiles, slots)
    assert schedule.extra_tiles == sum(reads) - (tiles - 1)
    assert schedule.snapshots <= slots


def test_extra_forward_sweeps_are_as_promised():
    slots = 16
    assert walk(slots, slots * STATE_BYTES)[0].extra_tiles == 0
    assert max(walk(slots**2 // 4, slots * STATE_BYTES)[1]) == 2
    assert max(walk(1000, slots * STATE_BYTES)[1]) > 2


def test_a_long_sweep_is_planned_at_once_and_walked_in_few_sweeps():
    schedule, reads = walk(20_000, 100 * STATE_BYTES)
    assert schedule.snapshots == 100
    assert max(reads) == 3


def test_snapshots_do_not_keep_alive_what_they_are_views_of():
    schedule = make_schedule(3, STATE, 10**6)
    with open_store(None, STATE, schedule) as store:
        store.put(0, (torch.zeros(1000, dtype=torch.float64)[:3],))
        assert store.get(0)[0].untyped_storage().nbytes() == STATE_BYTES


def test_a_state_comes_back_from_disk_as_it_went_and_leaves_nothing_behind(tmp_path, toy_mamba):
    state = toy_mamba.initial_state(torch.zeros(0, 5))
    states = [map_state(torch.randn_like, state) for _ in range(3)]
    with open_store(tmp_path, state, make_schedule(9, state, 10**6)) as store:
        for slot in (0, 1, 2, 1):
            store.put(slot, states[slot])
        for slot in (2, 0, 1):
            torch.testing.assert_close(store.get(slot), states[slot], rtol=0, atol=0)
    assert list(tmp_path.iterdir()) == []


def test_a_budget_that_cannot_work_and_a_folder_that_is_not_there_are_refused(tmp_path, toy_mamba, dna):
    objective = LogLikelihood(None, torch.float64, CPU)
    with pytest.raises(SnapshotBudgetError, match=r"1,000 bytes is too small .* at least 8,448 bytes"):
        adjoint_sweep(toy_mamba, dna(50), objective, end=50, tile=10, budget=1000)
    with pytest.raises(SnapshotFileError, match="gone: No such file or directory"):
        next(iter(adjoint_sweep(toy_mamba, dna(50), objective, end=50, tile=10, folder=tmp_path / "gone")))


@pytest.mark.parametrize("on_disk", [False, True])
def test_schedules_of_any_number_of_extra_sweeps_give_the_same_bytes(on_disk, toy_mamba, dna, tmp_path, monkeypatch):
    codes, objective = dna(100, n_run=10), LogLikelihood(None, torch.float64, CPU)
    right, forward_tiles = type(toy_mamba).jvp, []
    monkeypatch.setattr(type(toy_mamba), "jvp", lambda *arguments: (forward_tiles.append(1), right(*arguments))[1])
    results, extra = [], []
    for slots in (20, 6, 3):
        forward_tiles.clear()
        sweep = adjoint_sweep(
            toy_mamba, codes, objective, end=100, tile=6, budget=slots * 4224, folder=tmp_path if on_disk else None,
            parameters=True,
        )  # fmt: skip
        tiles = list(sweep)
        # The last tile has a target, so that no tile is read forwards but on the way to another one.
        assert len(forward_tiles) == sweep.schedule.tiles - 1 + sweep.schedule.extra_tiles
        extra.append(sweep.schedule.extra_tiles / sweep.schedule.tiles)
        tensors = [tile.x_bar for tile in tiles] + list(sweep.parameter_bars.values()) + leaves(sweep.state_bar)
        results.append((sweep.value, b"".join(tensor.numpy().tobytes() for tensor in tensors)))
    assert extra[0] == 0 < extra[1] < 1 < extra[2]
    assert results[0] == results[1] == results[2]
