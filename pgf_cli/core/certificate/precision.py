"""In plain words: how many digits of a model's derivative a number format holds."""

import math

import torch

DOUBLE_UNIT = 2.0**-29
"""A rounding of float64 relative to one of float32."""


def precision_text(dtype: torch.dtype, error: float, deep_error: float | None = None) -> str:
    """Say how many decimal digits hold.

    Args:
        dtype: of the run's matrix products.
        error: of J v on the probe against float64: float32's for a float64 run, too.
        deep_error: the same deep inside the sequence; None where it was not looked at.
    """
    if dtype == torch.float64:
        held, single = digits(error * DOUBLE_UNIT), digits(error)
        return f"float64 holds {held} of this model's derivative, where float32 would hold {single}"
    name = "bfloat16, its products rounded to 8 bits," if dtype == torch.bfloat16 else "float32"
    text = f"{name} holds {digits(error)} of this model's derivative"
    if deep_error is None:
        return text
    deep = digits(deep_error)
    return f"{text}, deep inside the sequence too" if deep == digits(error) else f"{text}, and {deep} deep inside"


def digits(error: float) -> str:
    """Return how many decimal digits a relative error leaves: "about 6 digits"."""
    if not math.isfinite(error) or error >= 0.1:
        return "no digit"
    count = 15 if error <= 1e-15 else math.floor(-math.log10(error))
    return f"about {count} digit{'s' if count > 1 else ''}"
