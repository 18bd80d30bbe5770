"""The selective scan of Mamba: h_t = exp(delta_t A) h_(t-1) + delta_t B_t u_t, y_t = C_t . h_t + D u_t."""

from pgf_cli.core.ops.selective_scan import cpu, reference
from pgf_cli.core.ops.selective_scan.reference import Scan, ScanDual

__all__ = ["Scan", "ScanDual", "jvp", "reference"]


def jvp(primal: Scan, dot: Scan) -> ScanDual:
    """Primal and K tangents of one tile by the fastest exact path for the tensors' device; see ``reference.jvp``."""
    return cpu.jvp(primal, dot) if primal.u.device.type == "cpu" else reference.jvp(primal, dot)
