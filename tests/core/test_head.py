"""The head's fast path where the model is sure of a base, against float64 autograd of its definition."""

import pytest
import torch

from pgf_cli.core.certificate import relative_error
from pgf_cli.core.models import BaseIds
from pgf_cli.core.models.head import Head


@pytest.mark.parametrize("sureness", [0.0, 8.0, 14.0, 30.0])
@pytest.mark.parametrize("base", range(4))
def test_float32_keeps_its_digits_however_sure_the_model_is_of_a_base(sureness, base):
    generator = torch.Generator().manual_seed(base)
    weight = torch.randn(9, 6, generator=generator, dtype=torch.float64)
    ids = BaseIds(3, 1, 7, 0, None)
    # Hidden states whose logits are large at the base that is looked at.
    push = torch.linalg.lstsq(weight[ids[base]][None], torch.tensor([[sureness]], dtype=torch.float64)).solution[:, 0]
    stack = torch.randn(3, 40, 6, generator=generator, dtype=torch.float64)
    stack[0] += push
    exact, single = Head("logprobs", weight, ids), Head("logprobs", weight.float(), ids)
    stack = stack.float().double()
    y, y_dot = torch.func.jvp(exact.forward, (stack[0],), (stack[1],))
    ours = single.jvp(stack.float())
    assert relative_error(ours[1, :, base], y_dot[:, base]) < 1e-5
    assert relative_error(ours[0, :, base], y[:, base]) < 1e-5
    y_bar = torch.zeros(40, 4, dtype=torch.float64)
    y_bar[:, base] = 1
    hidden_bar = torch.func.vjp(exact.forward, stack[0])[1](y_bar)[0]
    pulled = single.vjp(stack[0].float(), y_bar.float(), parameters=False)
    assert relative_error(pulled.hidden, hidden_bar) < 1e-5
    assert relative_error(pulled.y[:, base], y[:, base]) < 1e-5
