"""The selective scan on a CUDA device; see ``triton_scan``."""

from torch import Tensor

from pgf_cli.core.ops._triton.rows import rows
from pgf_cli.core.ops._triton.scan import launch
from pgf_cli.core.ops._triton.scan.launch import states
from pgf_cli.core.ops._triton.scan.tiles import Dots, Inputs
from pgf_cli.core.ops.scan_results import ScanDual, ScanPass
from pgf_cli.core.ops.selective_scan.reference import Scan


def forward(primal: Scan) -> ScanPass:
    """Return y, the state after the tile, and edges for this module's ``vjp``; arguments as ``reference.forward``."""
    return launch.forward(_inputs(primal), primal.h, held=False)


def jvp(primal: Scan, dot: Scan) -> ScanDual:
    """Return y, h and their tangents along K directions; arguments and result as ``reference.jvp``."""
    dots = Dots(rows(dot.step), rows(dot.B), rows(dot.C), rows(dot.u), rows(dot.z))
    return launch.jvp(_inputs(primal), primal.h, dots, dot.h, held=False)


def vjp(primal: Scan, edges: Tensor, y_bar: Tensor, h_bar: Tensor) -> Scan:
    """Return the adjoints of all arguments, with the edges from ``forward``; otherwise as ``reference.vjp``."""
    bars = launch.vjp(_inputs(primal), edges, y_bar, h_bar, held=False)
    return Scan(bars.step, bars.A, bars.B, bars.C, bars.D, bars.u, bars.gate, bars.h)


def _inputs(scan: Scan) -> Inputs:
    step, A, B, C, D, u, z, _ = scan
    return Inputs(rows(step), states(A), rows(B), rows(C), D.detach(), rows(u), rows(z))
