"""Depthwise causal convolution followed by SiLU; the state is the last (taps - 1) inputs."""

from torch import Tensor

from pgf_cli.core.ops.causal_conv import reference
from pgf_cli.core.ops.causal_conv.reference import ConvAdjoint
from pgf_cli.core.ops.fast_path import fast_path

__all__ = ["ConvAdjoint", "forward", "jvp", "reference", "vjp"]


def forward(x: Tensor, weight: Tensor, bias: Tensor | None, last: Tensor) -> tuple[Tensor, Tensor]:
    """Convolve one tile by the fastest path for the tensors' device; see ``reference.forward``."""
    result: tuple[Tensor, Tensor] = (fast_path(__name__, x) or reference).forward(x, weight, bias, last)
    return result


def jvp(stack: Tensor, weight: Tensor, bias: Tensor | None, last: Tensor) -> tuple[Tensor, Tensor]:
    """Convolve stacks by the fastest path for the tensors' device; see ``reference.jvp``."""
    result: tuple[Tensor, Tensor] = (fast_path(__name__, stack) or reference).jvp(stack, weight, bias, last)
    return result


def vjp(x: Tensor, weight: Tensor, bias: Tensor | None, last: Tensor, y_bar: Tensor, last_bar: Tensor) -> ConvAdjoint:
    """Return the adjoints of all arguments by the fastest path for the tensors' device; see ``reference.vjp``."""
    bars: ConvAdjoint = (fast_path(__name__, x) or reference).vjp(x, weight, bias, last, y_bar, last_bar)
    return bars
