"""A number that is not finite is an error that names record, base, value and layer."""

import numpy as np
import pytest
import torch

from pgf_cli.core.directions import Contrast, Pulse, Pulses
from pgf_cli.core.models import StreamingModel
from pgf_cli.core.objectives import SumOutputs, Targets
from pgf_cli.sweeps import CodesRecord, NonFiniteError, gradients, responses
from pgf_cli.sweeps.finite import check_finite
from pgf_cli.sweeps.record import OtherBases

CPU = torch.device("cpu")
LENGTH = 24


class SecondLayerOverflows(StreamingModel):
    """Two layers, y = h2: h1_t = 0.5 h1_(t-1) + x_t . w, h2_t = 1e200 h2_(t-1) + h1_t; on A alone both are 0.

    Its derivatives overflow at the third base on either way, and those of the second layer do so first.
    """

    output = "hidden"

    def __init__(self):
        super().__init__()
        w = torch.tensor([0.0, 1.0, 2.0, 3.0, 0.0], dtype=torch.float64)
        self.w = torch.nn.Parameter(w, requires_grad=False)

    def initial_state(self, first):
        return torch.zeros(1, dtype=self.w.dtype), torch.zeros(1, dtype=self.w.dtype)

    def forward(self, x, state):
        h1, h2 = state
        rows = []
        for u in x @ self.w:
            h1 = 0.5 * h1 + u
            h2 = 1e200 * h2 + h1
            rows.append(h2)
        return torch.stack(rows), (h1, h2)


class Mirrored(CodesRecord):
    """A record read from its other end."""

    def forward(self, position):
        return len(self) - 1 - position


@pytest.fixture
def poly_a():
    return np.zeros(LENGTH, dtype=np.uint8)


def swept(model, record, tile):
    return list(responses(model, record, Contrast(), start=0, end=LENGTH, tile=tile))


@pytest.mark.parametrize("tile", [1, 2, 8, 100])
def test_a_response_names_its_first_base_that_is_not_finite_and_the_layer(poly_a, tile):
    with pytest.raises(NonFiniteError, match=r"^the response at chrT:3 is -inf: .* in layer 2 of 2; try") as caught:
        swept(SecondLayerOverflows(), CodesRecord(poly_a, "chrT"), tile)
    assert "\n" not in str(caught.value)


def test_positions_are_the_record_s_own(poly_a):
    with pytest.raises(NonFiniteError, match=f"chrT:{LENGTH - 2} is"):
        swept(SecondLayerOverflows(), Mirrored(poly_a, "chrT"), 8)
    with pytest.raises(NonFiniteError, match=f"chrT:{LENGTH - 2} is"):
        swept(SecondLayerOverflows(), OtherBases(poly_a, Mirrored(poly_a, "chrT")), 8)


def test_the_layer_is_the_first_of_a_real_model_that_overflows(toy_mamba, codes, record):
    toy_mamba.blocks[1].mixer.conv1d.bias.fill_(float("inf"))
    sweep = responses(toy_mamba, record, Pulses([Pulse(64)]), start=0, end=len(codes), tile=16)
    with pytest.raises(NonFiniteError, match=r"the response at chrT:65 is nan: .* in layer 2 of 3;"):
        list(sweep)


@pytest.mark.parametrize("tile", [1, 4, 8])
def test_a_contribution_is_searched_for_from_the_last_layer_on(poly_a, tile):
    # The target's own bar is 1, that of the base before it 1e200, and of the one before that infinite.
    objective = SumOutputs(Targets([(10, 11)]), 1, torch.float64, CPU)
    record = CodesRecord(poly_a, "chrT")
    sweep = gradients(SecondLayerOverflows(), record, objective, start=0, end=LENGTH, tile=tile)
    with pytest.raises(NonFiniteError, match=r"^the contribution at chrT:9 is .* in layer 2 of 2;"):
        list(sweep)


def test_where_no_layer_s_state_is_to_blame_it_says_on_which_side_of_the_layers(poly_a):
    rows = torch.full((LENGTH, 1), float("nan"))
    states = ((torch.zeros(1), torch.zeros(1)),)
    record = CodesRecord(poly_a, "chrT")
    with pytest.raises(NonFiniteError, match=r"chrT:1 is nan: .* after its last layer;"):
        check_finite("response", rows, poly_a, 0, record, states, last=False)
    with pytest.raises(NonFiniteError, match=r"chrT:1 is nan: .* before its first layer;"):
        check_finite("contribution", rows, poly_a, 0, record, states, last=True)


def test_large_numbers_and_what_stands_at_an_n_are_no_error(poly_a):
    record = CodesRecord(poly_a)
    # Their sum overflows, none of them does.
    check_finite("response", torch.full((2, LENGTH, 3), 3e38), poly_a, 0, record, (), last=False)
    rows = torch.zeros(LENGTH, 5)
    rows[4] = float("inf")
    poly_a[4] = 4
    check_finite("contribution", rows, poly_a, 0, record, (), last=True)
    poly_a[4] = 1
    with pytest.raises(NonFiniteError, match="sequence:5 is inf"):
        check_finite("contribution", rows, poly_a, 0, record, (), last=True)
