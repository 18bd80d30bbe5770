"""Adjoint tracks: from the gradient with respect to the one-hot input to a number a base."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pgf_cli.core.bases import BaseCodes
from pgf_cli.runs.tracks import Track
from pgf_cli.tracks.tile import HYPOTHETICAL


def track_values(
    tracks: Sequence[Track], x_bar: Tensor, bases: BaseCodes, *, correct: bool, scores: bool
) -> dict[str, NDArray[np.floating[Any]]]:
    """Return adjoint tracks (T,) by name.

    Args:
        tracks: those of the adjoint.
        x_bar: gradient with respect to the one-hot input, (T, 5).
        bases: base codes (T,).
        correct: subtract the mean over the four bases.
        scores: return the four hypothetical scores, too, as ``HYPOTHETICAL`` names them.

    Source: Majdandzic et al. 2023 for the correction.
    """
    gradient: NDArray[np.floating[Any]] = x_bar[:, :4].cpu().numpy()
    if correct:
        gradient = gradient - gradient.mean(1, keepdims=True)
    here = np.minimum(bases, 3).astype(np.int64)[:, None]
    reference = np.take_along_axis(gradient, here, axis=1)
    values = {}
    for track in tracks:
        if track.kind == "norm":
            values[track.name] = np.linalg.norm(gradient, axis=1).astype(gradient.dtype)
        elif track.kind == "max-snv":
            values[track.name] = _strongest(gradient - reference)
        else:
            values[track.name] = reference[:, 0]
    return values | {HYPOTHETICAL[column]: gradient[:, column] for column in range(4) if scores}


def _strongest(changes: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return of each row (T, 4) the value of largest magnitude, (T,)."""
    chosen = np.take_along_axis(changes, np.abs(changes).argmax(1)[:, None], axis=1)
    values: NDArray[np.floating[Any]] = chosen[:, 0]
    return values
