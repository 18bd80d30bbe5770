"""Exact per-base sensitivity tracks of DNA language models on whole chromosomes, in fixed memory.

Example:
    >>> import pgf_cli
    >>> model = pgf_cli.load_model(pgf_cli.sample_data() / "mamba_arabidopsis.safetensors")
    >>> pgf_cli.sensitivity(model, "ACGTACGTTGCA").contribution.shape
    (12,)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from pgf_cli.api.models import Model, load_model
    from pgf_cli.api.running import Run, run
    from pgf_cli.api.sensitivity import Sensitivity, sensitivity
    from pgf_cli.api.sequences import open_genome
    from pgf_cli.errors import PgfError
    from pgf_cli.sample_folder import sample_data
    from pgf_cli.settings import RunSettings

__all__ = [
    "Model",
    "PgfError",
    "Run",
    "RunSettings",
    "Sensitivity",
    "load_model",
    "open_genome",
    "run",
    "sample_data",
    "sensitivity",
]

_HOMES = {
    "Model": "api.models",
    "PgfError": "errors",
    "Run": "api.running",
    "RunSettings": "settings",
    "Sensitivity": "api.sensitivity",
    "load_model": "api.models",
    "open_genome": "api.sequences",
    "run": "api.running",
    "sample_data": "sample_folder",
    "sensitivity": "api.sensitivity",
}
"""Where each name is defined: imported when first asked for, as torch takes seconds and --help needs none."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
