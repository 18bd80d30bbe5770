"""Facts about the machine that a figure was measured on: no names of hosts or users, no paths."""

import importlib.metadata
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

import torch

from pgf_cli.core.threads import available_threads

PACKAGES = ("pgf-sensitivity", "torch", "numba", "numpy", "triton", "transformers", "mambapy", "matplotlib")


@dataclass(frozen=True)
class Machine:
    """A processor and what it runs."""

    processor: str
    cores: int
    """That this process may use."""
    memory_bytes: int | None
    gpu: str | None
    system: str
    python: str


def this_machine() -> Machine:
    """Look at the machine."""
    return Machine(
        processor=_processor(),
        cores=available_threads(),
        memory_bytes=memory_bytes(),
        gpu=torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
    )


def installed_versions() -> dict[str, str | None]:
    """Return the version of each package that a measurement may depend on; None where it is not installed."""
    return {name: _version(name) for name in PACKAGES}


def memory_bytes() -> int | None:
    """Return the machine's memory, None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    named = re.search(r"^model name\s*: (.+)$", cpuinfo.read_text(), re.MULTILINE) if cpuinfo.exists() else None
    return named[1] if named else platform.processor() or platform.machine()
