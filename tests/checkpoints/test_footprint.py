"""What a model takes; the independent sources are closed forms and the operating system's own count of memory."""

import subprocess
import sys

import pytest
import torch

from pgf_cli.checkpoints.footprint import state_bytes, storage_bytes, tangent_bytes
from pgf_cli.core.models import FrechetConfig, FrechetModel

MEASURE = """
import ctypes
import re
import sys
from pathlib import Path
import numpy as np
from conftest import random_mamba
from pgf_cli.checkpoints.footprint import adjoint_bytes, tangent_bytes
from pgf_cli.core.directions import Contrast
from pgf_cli.core.objectives import SumOutputs
from pgf_cli.core.sweeps.adjoint import adjoint_sweep
from pgf_cli.core.sweeps.tangent import response, tangent_sweep
from pgf_cli.core.threads import set_threads


def status(field):
    return int(re.search(field + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024


set_threads(2)
mode, d_model, tile = sys.argv[1], int(sys.argv[2]), 4_000
model = random_mamba(d_model=d_model, n_layer=2, d_inner=2 * d_model, d_state=4)
estimate = {"tangent": tangent_bytes, "adjoint": adjoint_bytes}[mode](model, tile)
# What compiling took is given back and forgotten: the peak from here on is the sweep's.
ctypes.CDLL(None).malloc_trim(0)
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS")
codes = (np.arange(2 * tile) % 4).astype(np.uint8)
if mode == "tangent":
    for part in tangent_sweep(model, codes, Contrast(), end=2 * tile, tile=tile, ghost_distance=tile):
        response(part.y_dot)
else:
    for part in adjoint_sweep(model, codes, SumOutputs(None, 4, model.dtype, model.device), end=2 * tile, tile=tile):
        pass
print(estimate, status("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no /proc")
@pytest.mark.parametrize("d_model", [64, 128])
@pytest.mark.parametrize("mode", ["tangent", "adjoint"])
def test_the_estimate_is_within_a_factor_of_two_of_the_process_s_own_peak(request, mode, d_model):
    command = [sys.executable, "-c", MEASURE, mode, str(d_model)]
    done = subprocess.run(command, cwd=request.config.rootpath / "tests", capture_output=True, text=True, check=True)
    estimate, measured = map(int, done.stdout.split())
    assert measured > 50_000_000
    assert measured / 2 < estimate < measured * 2


def test_weights_do_not_count_as_a_tile_s(make_mamba):
    sizes = {"d_model": 200, "n_layer": 1, "d_inner": 16}
    short, long = (tangent_bytes(make_mamba(**sizes), tile) for tile in (10, 200))
    # At least r, norm(r) and in_proj of it, each with its tangent, in float64; the weights alone would be 70 kB.
    assert 2 * 10 * (200 + 200 + 32) * 8 < short < 300_000
    assert 2 * 200 * (200 + 200 + 32) * 8 < long < 20 * short


@pytest.mark.parametrize(("dtype", "itemsize"), [(torch.float32, 4), (torch.float64, 8)])
def test_state_bytes_are_those_of_convolution_and_recurrence(make_mamba, dtype, itemsize):
    model = make_mamba(n_layer=3, d_inner=22, d_state=5, d_conv=4).to(dtype)
    count = 3 * (22 * (4 - 1) + 22 * 5)
    assert state_bytes(model) == (count * itemsize, count * itemsize)


def test_the_operator_s_state_is_its_recurrence_alone():
    model = FrechetModel(FrechetConfig(d_model=6, d_state=5, embedded=True))
    assert state_bytes(model) == (6 * 5 * 4, 6 * 5 * 4)


def test_memory_that_tensors_share_counts_once():
    whole = torch.zeros(100)
    assert storage_bytes([whole, whole[50:], whole.view(10, 10), torch.zeros(3)]) == 412
