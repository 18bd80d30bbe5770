"""The paper's scan, its input held exactly: h_t = a_t h_(t-1) + phi1(delta_t A) B_t u_t, y_t = C_t . h_t + D u_t."""

from torch import Tensor

from pgf_cli.core.ops.frechet_scan import cpu, reference
from pgf_cli.core.ops.selective_scan import Scan, ScanDual, ScanPass

__all__ = ["Scan", "ScanDual", "ScanPass", "forward", "jvp", "reference", "vjp"]


def forward(primal: Scan) -> ScanPass:
    """One tile by the fastest path for the tensors' device, with what ``vjp`` needs of it."""
    if primal.u.device.type == "cpu":
        return cpu.forward(primal)
    return ScanPass(*reference.forward(primal), edges=None)


def jvp(primal: Scan, dot: Scan) -> ScanDual:
    """Primal and K tangents of one tile by the fastest exact path for the tensors' device; see ``reference.jvp``."""
    return cpu.jvp(primal, dot) if primal.u.device.type == "cpu" else reference.jvp(primal, dot)


def vjp(primal: Scan, edges: Tensor | None, y_bar: Tensor, h_bar: Tensor) -> Scan:
    """Adjoints of all arguments by the fastest exact path; ``edges`` from ``forward``; see ``reference.vjp``."""
    return reference.vjp(primal, y_bar, h_bar) if edges is None else cpu.vjp(primal, edges, y_bar, h_bar)
