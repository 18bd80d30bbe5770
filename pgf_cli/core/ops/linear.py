"""Matrix products over rows, cut into panels so that the number of threads never changes a byte."""

import torch
from torch import Tensor
from torch.nn import functional

from pgf_cli.core.threads import for_each

PANEL_ROWS = 128


def linear(rows: Tensor, weight: Tensor) -> Tensor:
    """Return rows W^T, (..., outputs), for rows (..., inputs) and weight (outputs, inputs)."""
    if rows.device.type != "cpu":
        return functional.linear(rows, weight)
    flat = rows.reshape(-1, rows.shape[-1])
    out = flat.new_empty(flat.shape[0], weight.shape[0])

    def panel(index: int) -> None:
        here = slice(index * PANEL_ROWS, (index + 1) * PANEL_ROWS)
        torch.mm(flat[here], weight.T, out=out[here])

    for_each(panel, -(-flat.shape[0] // PANEL_ROWS))
    return out.view(*rows.shape[:-1], weight.shape[0])


def affine(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return rows W^T + b, (T, outputs)."""
    out = linear(rows, weight)
    return out if bias is None else out.add_(bias)


def affine_jvp(stack: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return the stack of x W^T + b for a stack of x (1 + K, T, inputs): the bias has no tangent."""
    out = linear(stack, weight)
    if bias is not None:
        out[0] += bias
    return out


def weight_vjp(rows: Tensor, y_bar: Tensor) -> Tensor:
    """Return the adjoint y_bar^T rows (outputs, inputs) of a weight, for rows (T, inputs) and y_bar (T, outputs).

    That of the rows is ``linear(y_bar, weight.T)``, that of a bias ``y_bar.sum(0)``. Here the panels are of outputs:
    each is one product over all rows, so that no sum depends on who takes which.
    """
    if rows.device.type != "cpu":
        return y_bar.T @ rows
    out = rows.new_empty(y_bar.shape[1], rows.shape[1])

    def panel(index: int) -> None:
        here = slice(index * PANEL_ROWS, (index + 1) * PANEL_ROWS)
        torch.mm(y_bar[:, here].T, rows, out=out[here])

    for_each(panel, -(-y_bar.shape[1] // PANEL_ROWS))
    return out
