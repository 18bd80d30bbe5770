"""What a certificate of exactness consists of: comparisons of two ways to the same numbers.

Relative error is ||a - b|| / ||b|| in the 2-norm over the whole probe, never per base.
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from pgf_cli.core.certificate.probes import DeepProbe


class Check(NamedTuple):
    """One comparison: two ways to the same numbers, and how far apart they came out."""

    name: str
    detail: str
    error: float
    """Relative error."""
    threshold: float

    @property
    def passed(self) -> bool:
        """Whether the error is within the threshold; NaN is not."""
        return self.error <= self.threshold


@dataclass(frozen=True)
class Certificate:
    """The checks made on one probe, or on two."""

    probe_bases: int
    deep: DeepProbe | None
    """The second probe; None where it was not needed or not asked for."""
    kappa: float
    """The largest relative change of the derivative that roundings of float32 were seen to make; see `conditioning`."""
    precision: str
    """In plain words: how many digits the number format holds for this model."""
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


def relative_error(a: Tensor, b: Tensor) -> float:
    """Return ||a - b|| / ||b|| in float64; 0 where both are 0 throughout."""
    return relative_to((a.double() - b.double()).norm().item(), b.double().norm().item())


def relative_to(gap: float, size: float) -> float:
    """Return gap / size; 0 for no gap, whatever the size."""
    if gap == 0.0:
        return 0.0
    return gap / size if size else float("inf")
