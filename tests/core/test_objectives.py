"""Objectives: their weights written out by hand."""

import numpy as np
import pytest
import torch

from pgf_cli.core.objectives import Logit, LogLikelihood, SumOutputs, Targets

CPU = torch.device("cpu")
ACNGT = np.array([0, 1, 4, 2, 3], dtype=np.uint8)


def in_tiles(objective, codes, tile, start=0):
    parts = []
    for first in range(0, len(codes), tile):
        after = codes[first + tile : first + tile + 1]
        here = codes[first : first + tile]
        parts.append(objective.weights(start + first, here, int(after[0]) if len(after) else None))
    return torch.cat(parts)


@pytest.mark.parametrize("tile", [1, 2, 3, 5])
def test_log_likelihood_weighs_the_next_base_skips_n_and_has_no_prediction_past_the_end(tile):
    w = in_tiles(LogLikelihood(None, torch.float64, CPU), ACNGT, tile)
    # After A comes C, after C an N, after N a G, after G a T, after T nothing.
    expected = [[0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert w.tolist() == expected


@pytest.mark.parametrize("tile", [1, 2, 5])
def test_targets_of_the_log_likelihood_are_the_predicted_bases(tile):
    objective = LogLikelihood(Targets([(104, 105), (100, 102)]), torch.float64, CPU)
    # Positions 100, 101 and 104: C at 101 from the row of 100, T at 104 from that of 103; nothing predicts 100.
    expected = [[0, 1, 0, 0], [0] * 4, [0] * 4, [0, 0, 0, 1], [0] * 4]
    assert in_tiles(objective, ACNGT, tile, start=100).tolist() == expected


@pytest.mark.parametrize("tile", [1, 2, 5])
def test_targets_of_outputs_are_the_rows_themselves(tile):
    targets = Targets([(1, 3), (2, 4)])
    total = in_tiles(SumOutputs(targets, 2, torch.float64, CPU), ACNGT, tile)
    assert total.tolist() == [[0, 0], [1, 1], [1, 1], [1, 1], [0, 0]]
    logit = in_tiles(Logit(targets, 2, 3, torch.float64, CPU), ACNGT, tile)
    assert logit.tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 0]]


def test_without_targets_every_row_counts_in_the_format_asked_for():
    w = SumOutputs(None, 3, torch.float32, CPU).weights(7, ACNGT, None)
    assert w.dtype == torch.float32
    assert w.tolist() == [[1, 1, 1]] * 5


@pytest.mark.parametrize(
    "intervals", [[], [(3, 3)], [(0, 4), (4, 6)], [(8, 9), (0, 2), (1, 3)], [(2, 8), (3, 4)], [(5, 5), (0, 20)]]
)
def test_targets_are_the_union_of_the_intervals(intervals):
    expected = [any(first <= position < end for first, end in intervals) for position in range(2, 15)]
    assert Targets(intervals)(2, 15).tolist() == expected
