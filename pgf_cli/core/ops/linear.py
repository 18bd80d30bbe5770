"""Matrix products over rows, cut into panels so that the number of threads never changes a byte.

Rows are rounded to the weight's number format, and the product comes back in theirs: with a bfloat16 weight, factors
and product have 8 bits and the sums in between 24.
"""

import torch
from llvmlite.binding import get_host_cpu_name
from torch import Tensor, nn
from torch.nn import functional

from pgf_cli.core.threads import for_each

PANEL_ROWS = 256

# MKL, which torch takes for float32 products, leaves AVX-512 alone on AMD's processors, where the oneDNN that comes
# with torch is up to twice as fast. Handing tensors over to it takes time, too: below some size it does not pay.
_MKL_IS_SLOW = (
    torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
    and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    and torch.backends.cpu.get_cpu_capability() == "AVX512"
    and get_host_cpu_name().startswith("znver")
)
ONEDNN_FROM = 128
"""Inputs and outputs from which a product is oneDNN's."""


class Linear(nn.Linear):
    """The definition, differentiable: x W^T + b, with the factors in the weight's number format."""

    def forward(self, x: Tensor) -> Tensor:
        """Map x (..., inputs) to (..., outputs)."""
        product = functional.linear(x.to(self.weight.dtype), self.weight).to(x.dtype)
        return product if self.bias is None else product + self.bias


def linear(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return rows W^T + b, (..., outputs), for rows (..., inputs), weight (outputs, inputs) and bias (outputs,)."""
    if rows.device.type != "cpu":
        product = functional.linear(rows.to(weight.dtype), weight).to(rows.dtype)
        return product if bias is None else product.add_(bias)
    return _by_panels(rows, weight, bias, rows[..., 0].numel())


def linear_jvp(stack: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return the stack of x W^T + b for a stack of x (1 + K, T, inputs): the bias has no tangent."""
    if stack.device.type != "cpu":
        out = functional.linear(stack.to(weight.dtype), weight).to(stack.dtype)
        if bias is not None:
            out[0] += bias
        return out
    return _by_panels(stack, weight, bias, stack.shape[1])


def _by_panels(rows: Tensor, weight: Tensor, bias: Tensor | None, biased: int) -> Tensor:
    """rows W^T; the first ``biased`` rows get the bias, while they are in the cache."""
    # No graph is recorded, whatever the worker threads' mode is.
    flat, weight = rows.detach().reshape(-1, rows.shape[-1]), weight.detach()
    out = flat.new_empty(flat.shape[0], weight.shape[0])
    packed = weight.to_mkldnn() if _takes_onednn(weight) else None

    def panel(index: int) -> None:
        first = index * PANEL_ROWS
        here = slice(first, first + PANEL_ROWS)
        if packed is not None:
            out[here] = functional.linear(flat[here].to_mkldnn(), packed).to_dense()
        elif weight.dtype == rows.dtype:
            torch.mm(flat[here], weight.T, out=out[here])
        else:
            out[here] = functional.linear(flat[here].to(weight.dtype), weight)
        if bias is not None and first < biased:
            out[first : min(first + PANEL_ROWS, biased)] += bias

    for_each(panel, -(-flat.shape[0] // PANEL_ROWS))
    return out.view(*rows.shape[:-1], weight.shape[0])


def _takes_onednn(weight: Tensor) -> bool:
    return _MKL_IS_SLOW and weight.dtype == torch.float32 and min(weight.shape) >= ONEDNN_FROM


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
