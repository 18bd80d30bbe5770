"""The one seam between numbers and whoever uses them: checked tiles of derivatives along a record."""

from pgf_cli.sweeps.finite import NonFiniteError
from pgf_cli.sweeps.gradients import Gradient, GradientSweep, gradients
from pgf_cli.sweeps.record import CodesRecord, SweptRecord
from pgf_cli.sweeps.responses import responses
from pgf_cli.sweeps.totals import SignedTotal

__all__ = [
    "responses",
    "gradients",
    "Gradient",
    "GradientSweep",
    "SweptRecord",
    "CodesRecord",
    "SignedTotal",
    "NonFiniteError",
]
