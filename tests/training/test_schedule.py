import pytest
import torch

from pgf_cli.training import OptimiserSettings
from pgf_cli.training.schedule import learning_rate


def test_the_learning_rate_is_that_of_torch_s_own_schedulers():
    settings = OptimiserSettings(steps=50, warmup=8, learning_rate=0.02, final_learning_rate=0.001)
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=0.02)
    rise = torch.optim.lr_scheduler.LinearLR(optimiser, start_factor=1 / 8, total_iters=7)
    expected = []
    for _ in range(8):
        expected.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        rise.step()
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=42, eta_min=0.001)
    for _ in range(42):
        expected.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        fall.step()
    assert [learning_rate(step, settings) for step in range(50)] == pytest.approx(expected, rel=1e-12)


def test_without_warmup_it_begins_at_its_highest():
    assert learning_rate(0, OptimiserSettings(steps=5, learning_rate=0.3)) == 0.3
