"""The two signed totals of a whole run: one number by two sweeps."""

from dataclasses import dataclass

from pgf_cli.runs.assembly import RecordResult, relative_gap


@dataclass
class RunTotals:
    """Sums over a run's records, in float64."""

    tangent: float | None = None
    """<w, J v>, by the tangent sweeps; None where there were none."""
    adjoint: float | None = None
    """<J^T w, v>, by the adjoint sweeps; None where there were none."""
    magnitude: float = 0.0
    """Of the parts that the adjoint's is the sum of."""

    def add(self, result: RecordResult) -> None:
        """Add a record's, of every strand that was read."""
        self.magnitude += result.magnitude
        for entry in (result.entry.adjoint, result.entry.adjoint_reverse):
            if entry is None:
                continue
            self.adjoint = (self.adjoint or 0.0) + entry.adjoint_total
            if entry.tangent_total is not None:
                self.tangent = (self.tangent or 0.0) + entry.tangent_total

    @property
    def gap(self) -> float | None:
        """Between the two, relative to the larger; None where there were not both sweeps."""
        if self.tangent is None or self.adjoint is None:
            return None
        return relative_gap(self.tangent, self.adjoint)
