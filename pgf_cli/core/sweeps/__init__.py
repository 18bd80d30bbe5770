"""Phase Gradient Flow itself: derivatives carried along a sequence tile by tile, for any streaming model."""

from pgf_cli.core.sweeps.tangent import TangentTile, response, tangent_sweep

__all__ = ["TangentTile", "response", "tangent_sweep"]
