"""The Triton kernels against the references, in Triton's interpreter and, where there is a device, compiled on it.

Triton decides when it is first imported whether its functions are compiled or interpreted, its own library among them.
So the cases, ``triton_cases``, run in a process of their own.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not on this platform")

CASES = Path(__file__).with_name("triton_cases.py")


def run_cases(**environment: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=5", str(CASES)]
    run = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_kernels_equal_the_reference_in_triton_s_interpreter():
    run_cases(TRITON_INTERPRET="1")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_kernels_equal_the_reference_on_the_device():
    run_cases(TRITON_INTERPRET="0")
