import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from pgf_cli.core.one_hot import one_hot
from pgf_cli.training import Score, score_sequence


@pytest.mark.parametrize("tile", [1, 7, 50, 51, 1000])
def test_bits_are_torch_s_cross_entropy_of_the_whole_sequence_at_once(toy_mamba, dna, tile):
    codes = dna(120, n_run=9)
    start, end = 10, 111
    x = one_hot(codes[start:end], torch.float64, torch.device("cpu"))
    log_p = toy_mamba(x, toy_mamba.initial_state(x[:0]))[0]
    labels = torch.from_numpy(codes[start + 1 : end].astype(np.int64))
    labels[labels == 4] = -100
    expected = functional.nll_loss(log_p[:-1], labels)
    read = []
    score = score_sequence(toy_mamba, codes, start, end, tile, read.append)
    assert score.predicted == int((labels >= 0).sum())
    assert score.bits == pytest.approx(float(expected) / math.log(2), rel=1e-12)
    assert sum(read) == end - start


def test_nothing_predicted_is_no_number_and_scores_add_up(toy_mamba):
    alone = score_sequence(toy_mamba, np.array([2], np.uint8), 0, 1, 8)
    assert alone == Score(0.0, 0)
    assert math.isnan(alone.bits)
    assert sum([Score(2.0, 3), Score(4.0, 5)], Score()) == Score(6.0, 8)
