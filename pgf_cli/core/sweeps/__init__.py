"""Phase Gradient Flow itself: derivatives carried along a sequence tile by tile, for any streaming model."""

from pgf_cli.core.sweeps.adjoint import AdjointEdge, AdjointSweep, AdjointTile, adjoint_sweep
from pgf_cli.core.sweeps.snapshots import Schedule, leaves
from pgf_cli.core.sweeps.tangent import TangentEdge, TangentTile, response, tangent_edge, tangent_sweep

__all__ = [
    "AdjointEdge",
    "AdjointSweep",
    "AdjointTile",
    "Schedule",
    "TangentEdge",
    "TangentTile",
    "adjoint_sweep",
    "leaves",
    "response",
    "tangent_edge",
    "tangent_sweep",
]
