"""Gradients at the seam: pieces from right to left, the numbers of autograd over the whole stretch in float64."""

import importlib

import pytest
import torch

from pgf_cli.core.models import StreamingModel
from pgf_cli.core.objectives import LogLikelihood, SumOutputs, Targets
from pgf_cli.sweeps import gradients
from pgf_cli.sweeps.gradients import JOINED_BASES

CPU = torch.device("cpu")
TARGETS = Targets([(15, 50), (53, 100)])


class LooksAhead(StreamingModel):
    """y_t = h_t = 0.5 h_(t-1) + x_t . w; the state before the first base is the sum of the first two x . w."""

    lookahead = 2
    output = "hidden"

    def __init__(self):
        super().__init__()
        w = torch.tensor([0.0, 1.0, 2.0, 3.0, 0.0], dtype=torch.float64)
        self.w = torch.nn.Parameter(w, requires_grad=False)

    def initial_state(self, first):
        return (first @ self.w).sum()[None]

    def forward(self, x, state):
        rows = []
        for u in x @ self.w:
            state = 0.5 * state + u
            rows.append(state)
        return torch.stack(rows), state


def log_likelihood(targets=TARGETS):
    return LogLikelihood(targets, torch.float64, CPU)


def joined(pieces, what="x_bar"):
    return torch.cat([getattr(piece, what) for piece in reversed(pieces)])


@pytest.fixture
def small_pieces(monkeypatch):
    """Pieces of at least 25 bases: the record has several."""
    # The package has a function of the module's name.
    monkeypatch.setattr(importlib.import_module("pgf_cli.sweeps.gradients"), "JOINED_BASES", 25)


@pytest.mark.parametrize(("tile", "start"), [(1, 13), (7, 0), (32, 13), (1000, 0)])
def test_pieces_are_the_gradient_of_the_whole_stretch(toy_mamba, codes, record, autograd, tile, start, small_pieces):
    end = len(codes) - 4
    pieces = list(gradients(toy_mamba, record, log_likelihood(), start=start, end=end, tile=tile))
    whole = autograd(toy_mamba, codes[start:end])
    w = log_likelihood().weights(start, codes[start:end], None)
    torch.testing.assert_close(joined(pieces), whole.back(w), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(joined(pieces, "y"), whole.y(whole.x), rtol=1e-9, atol=1e-12)
    assert sum(piece.value for piece in pieces) == pytest.approx(float((w * whole.y(whole.x)).sum()), rel=1e-12)
    assert [code for piece in reversed(pieces) for code in piece.bases] == list(codes[start:end])


def test_tiles_are_joined_until_a_piece_is_long_enough(toy_mamba, codes, record, small_pieces):
    pieces = list(gradients(toy_mamba, record, log_likelihood(), start=0, end=len(codes), tile=10))
    # From the right: tiles of 5, 10 and 10 bases are 25, then it takes three of 10.
    assert [(piece.start, len(piece.bases)) for piece in pieces] == [(90, 25), (60, 30), (30, 30), (0, 30)]
    for piece in pieces:
        assert piece.before.position == piece.start


def test_a_sweep_cannot_be_broken_off_where_the_initial_state_has_still_to_add(codes, record, small_pieces):
    objective = SumOutputs(None, 1, torch.float64, CPU)
    pieces = list(gradients(LooksAhead(), record, objective, start=0, end=len(codes), tile=10))
    assert [piece.before is None for piece in pieces] == [False, False, False, True]
    first = [float(bar) for bar in pieces[-1].x_bar[:3, 1]]
    # A base is felt 2 times over in all outputs after it, and the first two once more through the initial state.
    assert first == pytest.approx([3, 3, 2], rel=1e-12)


def test_a_chromosome_comes_in_pieces_of_some_16_000_bases_and_a_short_record_in_one(toy_mamba, codes, record):
    assert JOINED_BASES == 16_384
    (piece,) = gradients(toy_mamba, record, log_likelihood(), start=0, end=len(codes), tile=20)
    assert (piece.start, len(piece.bases)) == (0, len(codes))


def test_a_piece_begins_at_every_edge_that_is_given_and_the_numbers_stay(toy_mamba, codes, record, small_pieces):
    options = {"start": 0, "end": len(codes), "tile": 10}
    free = list(gradients(toy_mamba, record, log_likelihood(), **options))
    cut = list(gradients(toy_mamba, record, log_likelihood(), **options, edges={50, 100}))
    assert [piece.start for piece in cut] == [100, 70, 50, 20, 0]
    assert torch.equal(joined(cut), joined(free))
    assert sum(piece.value for piece in cut) == pytest.approx(sum(piece.value for piece in free), rel=1e-13)


def test_a_sweep_that_goes_on_from_a_piece_s_edge_gives_the_bytes_of_the_rest(toy_mamba, codes, record, small_pieces):
    options = {"start": 0, "end": len(codes), "tile": 8, "edges": {48}}
    whole = list(gradients(toy_mamba, record, log_likelihood(), **options))
    for number, piece in enumerate(whole[:-1], start=1):
        rest = list(gradients(toy_mamba, record, log_likelihood(), **options, begin=piece.before))
        assert [one.start for one in rest] == [one.start for one in whole[number:]]
        assert [one.value for one in rest] == [one.value for one in whole[number:]]
        assert torch.equal(joined(rest), joined(whole[number:]))


def test_what_is_read_forwards_is_told_base_by_base(toy_mamba, codes, record):
    told = []
    sweep = gradients(toy_mamba, record, log_likelihood(), start=0, end=len(codes), tile=10, advance=told.append)
    list(sweep)
    assert sweep.schedule.tiles == 12
    # Nothing but the state before the last tile is needed of a forward pass that keeps them all.
    assert told == [10] * 11
