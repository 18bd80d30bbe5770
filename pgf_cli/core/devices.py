"""Devices by name."""

from importlib.util import find_spec

import torch

from pgf_cli.errors import UsageError


def resolve_device(name: str) -> torch.device:
    """Return the device that ``auto``, ``cpu``, ``cuda`` or ``cuda:I`` names.

    ``auto`` is the first CUDA device where torch sees one and Triton, which its kernels are written in, is there; else
    the CPU.

    Raises:
        UsageError: the name is none of these, or there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.device_count() and find_spec("triton") else "cpu"
    if name == "cpu":
        return torch.device("cpu")
    kind, _, index = name.partition(":")
    if kind != "cuda" or (":" in name and not (index.isascii() and index.isdecimal() and len(index) < 4)):
        raise UsageError(f"--device {name} is no device; use auto, cpu, cuda or cuda:0, cuda:1, ...")
    if int(index or 0) >= torch.cuda.device_count():
        seen = f"torch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices"
        raise UsageError(f"--device {name}: {seen}; use --device cpu")
    return torch.device(kind, int(index or 0))
