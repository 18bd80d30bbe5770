"""The gated norm of Mamba-2: y silu(z), then RMS normalisation over the channels of each group."""

from torch import Tensor

from pgf_cli.core.ops.fast_path import fast_path
from pgf_cli.core.ops.gated_norm import reference
from pgf_cli.core.ops.gated_norm.reference import GatedAdjoint

__all__ = ["GatedAdjoint", "forward", "jvp", "reference", "vjp"]


def forward(y: Tensor, z: Tensor, weight: Tensor, eps: float, groups: int) -> Tensor:
    """Gate and normalise y (T, E) by the fastest path for the tensors' device; see ``reference.forward``."""
    out: Tensor = (fast_path(__name__, y) or reference).forward(y, z, weight, eps, groups)
    return out


def jvp(y: Tensor, z: Tensor, weight: Tensor, eps: float, groups: int) -> Tensor:
    """The same for stacks of y and z, (1 + K, T, E)."""
    out: Tensor = (fast_path(__name__, y) or reference).jvp(y, z, weight, eps, groups)
    return out


def vjp(y: Tensor, z: Tensor, weight: Tensor, eps: float, groups: int, out_bar: Tensor) -> GatedAdjoint:
    """Return the adjoints of y, z and the weight by the fastest path; see ``reference.vjp``."""
    bars: GatedAdjoint = (fast_path(__name__, y) or reference).vjp(y, z, weight, eps, groups, out_bar)
    return bars
