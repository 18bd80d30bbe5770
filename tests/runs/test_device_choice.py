"""Which device a run takes; what torch and Triton see is made up."""

import pytest
import torch

from pgf_cli.core import devices as devices_module
from pgf_cli.core.devices import resolve_device
from pgf_cli.errors import UsageError


@pytest.mark.parametrize(
    ("devices", "triton", "expected"), [(0, True, "cpu"), (1, False, "cpu"), (1, True, "cuda:0"), (2, True, "cuda:0")]
)
def test_auto_is_the_first_gpu_where_its_kernels_can_run(devices, triton, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: devices)
    monkeypatch.setattr(devices_module, "find_spec", lambda name: object() if triton else None)
    assert resolve_device("auto") == torch.device(expected)


def test_a_gpu_that_torch_does_not_see_is_refused_and_one_that_it_sees_needs_no_triton(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(devices_module, "find_spec", lambda name: None)
    assert resolve_device("cuda") == torch.device("cuda:0")
    with pytest.raises(UsageError, match="sees 1 CUDA devices"):
        resolve_device("cuda:1")
