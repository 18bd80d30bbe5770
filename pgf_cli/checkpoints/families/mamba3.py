"""Mamba-3, which is recognised and refused: three programs compute its A in three ways, and no file says which.

Source: the recurrence of arXiv 2603.15569; names of tensors and fields of the state-spaces/mamba repository.
"""

from collections.abc import Mapping

from pgf_cli.checkpoints.errors import UnsupportedArchitectureError
from pgf_cli.checkpoints.layout import Source

DIALECTS = (
    "-softplus(x) with a floor (mamba_ssm 2.3.2 on PyPI, fla)",
    "-(1 + x), or -1/(1 - x) below 0 (mamba_ssm's repository since June 2026)",
    "-exp(A_log) (mixlab)",
)
_TENSORS = (".mixer.B_bias", ".mixer.C_bias")


def refuse_mamba3(source: Source) -> None:
    """Refuse a Mamba-3, told by a folder's settings or a file's tensors.

    Raises:
        UnsupportedArchitectureError: it is one.
    """
    found = _field(source) if source.settings is not None else _tensor(source)
    if found:
        raise UnsupportedArchitectureError(
            f"{source.path}: {found} is of a Mamba-3, which is not read yet: its dialects disagree on A, and nothing "
            f"in a checkpoint names one: {'; '.join(DIALECTS)}; take a Mamba-1 or Mamba-2 model."
        )


def _field(source: Source) -> str | None:
    values = source.folder_settings.values
    layers = values.get("ssm_cfg")
    if values.get("model_type") == "mamba3":
        return "model_type 'mamba3'"
    named = isinstance(layers, Mapping) and layers.get("layer") == "Mamba3"
    return "ssm_cfg.layer = 'Mamba3'" if named else None


def _tensor(source: Source) -> str | None:
    return next((name for name in source.tensors if name.endswith(_TENSORS)), None)
