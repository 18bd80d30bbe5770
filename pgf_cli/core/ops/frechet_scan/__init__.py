"""The paper's scan, its input held exactly: h_t = a_t h_(t-1) + phi1(delta_t A) B_t u_t, y_t = C_t . h_t + D u_t."""

from pgf_cli.core.ops.frechet_scan import cpu, reference
from pgf_cli.core.ops.selective_scan import Scan, ScanDual

__all__ = ["Scan", "ScanDual", "jvp", "reference"]


def jvp(primal: Scan, dot: Scan) -> ScanDual:
    """Primal and K tangents of one tile by the fastest exact path for the tensors' device; see ``reference.jvp``."""
    return cpu.jvp(primal, dot) if primal.u.device.type == "cpu" else reference.jvp(primal, dot)
