"""Every Triton kernel, as the operators launch it, compiled for each generation of device: nothing spills.

No device is needed: Triton compiles what it would launch. On sm_90 for every number of tangents that one program
carries, elsewhere for the fewest and the most, or for one: all of them would take some minutes.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

triton = pytest.importorskip("triton", reason="Triton is not on this platform")
if os.environ.get("TRITON_INTERPRET") == "1":
    pytest.skip("Triton's interpreter compiles nothing", allow_module_level=True)

from triton.backends.compiler import GPUTarget  # noqa: E402

from pgf_cli.core.ops import frechet_scan, selective_scan  # noqa: E402
from pgf_cli.core.ops.causal_conv import cuda as conv  # noqa: E402
from pgf_cli.core.ops.frechet_scan import cuda as frechet  # noqa: E402
from pgf_cli.core.ops.rms_norm import cuda as norm  # noqa: E402
from pgf_cli.core.ops.selective_scan import cuda as selective  # noqa: E402

LENGTH, CHANNELS, INNER, STATE, TAPS = 4096, 256, 512, 16, 4
KERNELS = {"compose", "walk", "carry_states", "compose_back", "walk_back", "_jvp", "_vjp"}


def run_every_verb(dtype: torch.dtype, directions: tuple[int, ...]) -> None:
    """Call the operators at a real model's sizes, on numbers that nobody reads."""

    def empty(*shape: int) -> Tensor:
        return torch.empty(shape, dtype=dtype)

    rows, states, maps = empty(LENGTH, INNER), empty(INNER, STATE), empty(LENGTH, STATE)
    for kernels, scan, gate in ((selective, selective_scan.Scan, rows), (frechet, frechet_scan.Scan, empty())):
        primal = scan(rows, states, maps, maps, empty(INNER), rows, gate, states)
        kernels.vjp(primal, kernels.forward(primal).edges, rows, states)
        for K in directions:
            kernels.jvp(primal, scan(*(tensor.expand(K, *tensor.shape) for tensor in primal)))
    weight, bias, last = empty(INNER, TAPS), empty(INNER), empty(TAPS - 1, INNER)
    conv.jvp(empty(2, LENGTH, INNER), weight, bias, empty(2, TAPS - 1, INNER))
    conv.vjp(rows, weight, bias, last, rows, last)
    norm.jvp(empty(2, LENGTH, CHANNELS), empty(CHANNELS), 1e-5)
    norm.vjp(empty(LENGTH, CHANNELS), empty(CHANNELS), 1e-5, empty(LENGTH, CHANNELS))


class AbsentDevice:
    """What Triton asks of a driver in order to compile for a device of this capability."""

    def __init__(self, capability: int) -> None:
        self.capability = capability

    def get_current_target(self) -> Any:
        return GPUTarget("cuda", self.capability, 32)

    def get_current_device(self) -> str:
        return f"sm_{self.capability}"

    def get_current_stream(self, device: str) -> int:
        return 0


def stack_bytes(cubin: bytes, path: Path) -> int:
    """What a kernel keeps outside registers; spilled ones go to the stack."""
    path.write_bytes(cubin)
    command = [triton.knobs.nvidia.cuobjdump.path, "--dump-resource-usage", str(path)]
    usage = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    sizes = re.findall(r"(?:STACK|LOCAL):(\d+)", usage)
    assert len(sizes) == 2, usage
    return sum(int(size) for size in sizes)


@pytest.mark.parametrize(
    ("capability", "dtype", "directions"),
    [
        (80, torch.float32, (1, 4)),
        (90, torch.float32, (0, 1, 2, 3, 4)),
        (120, torch.float32, (1, 4)),
        (90, torch.float64, (1, 4)),
    ],
    ids=str,
)
def test_no_kernel_spills(capability, dtype, directions, tmp_path, monkeypatch):
    kernels: dict[str, Any] = {}
    run = triton.JITFunction.run

    def compile_only(function: Any, *arguments: Any, warmup: bool, **named: Any) -> None:
        kernel = run(function, *arguments, warmup=True, **named)
        kernels[kernel.hash] = kernel

    monkeypatch.setattr(triton.JITFunction, "run", compile_only)
    monkeypatch.setattr(triton.runtime.driver, "_active", AbsentDevice(capability))
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    run_every_verb(dtype, directions)
    assert {kernel.metadata.name for kernel in kernels.values()} == KERNELS
    for kernel in kernels.values():
        assert stack_bytes(kernel.asm["cubin"], tmp_path / "cubin") == 0, kernel.metadata.name
