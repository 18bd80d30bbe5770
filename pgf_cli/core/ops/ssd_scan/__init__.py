"""The scan of Mamba-2: h_t = exp(delta_t A) h_(t-1) + delta_t u_t (x) B_t, y_t = h_t C_t + D u_t, one A per head."""

from torch import Tensor

from pgf_cli.core.ops.fast_path import fast_path
from pgf_cli.core.ops.scan_results import ScanDual, ScanPass
from pgf_cli.core.ops.ssd_scan import reference
from pgf_cli.core.ops.ssd_scan.reference import Scan

__all__ = ["Scan", "ScanDual", "ScanPass", "forward", "jvp", "reference", "vjp"]


def forward(primal: Scan) -> ScanPass:
    """One tile by the fastest path for the tensors' device, with what ``vjp`` needs of it."""
    fast = fast_path(__name__, primal.u)
    result: ScanPass = fast.forward(primal) if fast else ScanPass(*reference.forward(primal), edges=None)
    return result


def jvp(primal: Scan, dot: Scan) -> ScanDual:
    """Primal and K tangents of one tile by the fastest path for the tensors' device; see ``reference.jvp``."""
    result: ScanDual = (fast_path(__name__, primal.u) or reference).jvp(primal, dot)
    return result


def vjp(primal: Scan, edges: Tensor | None, y_bar: Tensor, h_bar: Tensor) -> Scan:
    """Adjoints of all arguments by the fastest path; ``edges`` from ``forward``; see ``reference.vjp``."""
    fast = fast_path(__name__, primal.u)
    bars: Scan = fast.vjp(primal, edges, y_bar, h_bar) if fast else reference.vjp(primal, y_bar, h_bar)
    return bars
