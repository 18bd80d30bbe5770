"""From the gradient with respect to the one-hot input to a number a base."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pgf_cli.core.bases import BaseCodes

Values = NDArray[np.floating[Any]]


def gradient_rows(x_bar: Tensor, *, correct: bool) -> Values:
    """Return the gradient at each base (T, 4), order A, C, G, T.

    Args:
        x_bar: gradient with respect to the one-hot input, (T, 5), the last column that of N.
        correct: subtract each base's mean over the four.

    Source: Majdandzic et al. 2023 for the correction.
    """
    gradient: Values = x_bar[:, :4].cpu().numpy()
    return gradient - gradient.mean(1, keepdims=True) if correct else gradient


def contribution(gradient: Values, bases: BaseCodes) -> Values:
    """Return the gradient (T, 4) at the base that is there, (T,)."""
    return _at_base(gradient, bases)[:, 0]


def norm(gradient: Values, bases: BaseCodes) -> Values:
    """Return the 2-norm of the gradient (T, 4) over the four bases, (T,)."""
    norms: Values = np.linalg.norm(gradient, axis=1).astype(gradient.dtype)
    return norms


def strongest_substitution(gradient: Values, bases: BaseCodes) -> Values:
    """Return g_alt - g_ref of largest magnitude, its sign kept, from the gradient (T, 4), (T,)."""
    changes = gradient - _at_base(gradient, bases)
    chosen: Values = np.take_along_axis(changes, np.abs(changes).argmax(1)[:, None], axis=1)[:, 0]
    return chosen


ADJOINT_VALUES: Mapping[str, Callable[[Values, BaseCodes], Values]] = {
    "contribution": contribution,
    "norm": norm,
    "max-snv": strongest_substitution,
}
"""A value a base, by the name that tracks have for it."""


def _at_base(gradient: Values, bases: BaseCodes) -> Values:
    here = np.minimum(bases, 3).astype(np.int64)[:, None]
    return np.take_along_axis(gradient, here, axis=1)
