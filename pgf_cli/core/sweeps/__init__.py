"""Phase Gradient Flow itself: derivatives carried along a sequence tile by tile, for any streaming model."""

from pgf_cli.core.sweeps.adjoint import AdjointSweep, adjoint_sweep
from pgf_cli.core.sweeps.adjoint_tile import AdjointEdge, AdjointTile
from pgf_cli.core.sweeps.features import DEFAULT_SPACE, FeatureSpace
from pgf_cli.core.sweeps.snapshots import Schedule, leaves
from pgf_cli.core.sweeps.tangent import response, tangent_edge, tangent_sweep
from pgf_cli.core.sweeps.tangent_tile import TangentEdge, TangentTile
from pgf_cli.core.sweeps.two_direction_adjoint import TwoDirectionAdjointSweep

__all__ = [
    "DEFAULT_SPACE",
    "AdjointEdge",
    "AdjointSweep",
    "AdjointTile",
    "FeatureSpace",
    "Schedule",
    "TangentEdge",
    "TangentTile",
    "TwoDirectionAdjointSweep",
    "adjoint_sweep",
    "leaves",
    "response",
    "tangent_edge",
    "tangent_sweep",
]
