"""Phase Gradient Flow itself: derivatives carried along a sequence tile by tile, for any streaming model."""

from pgf_cli.core.sweeps.adjoint import AdjointSweep, AdjointTile, adjoint_sweep
from pgf_cli.core.sweeps.snapshots import Schedule
from pgf_cli.core.sweeps.tangent import TangentTile, response, tangent_sweep

__all__ = [
    "AdjointSweep",
    "AdjointTile",
    "Schedule",
    "TangentTile",
    "adjoint_sweep",
    "response",
    "tangent_sweep",
]
