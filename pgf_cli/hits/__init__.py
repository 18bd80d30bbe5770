"""Where a track peaks and how unusual that is, all streamed; and whether it is higher at annotated sites."""

from pgf_cli.hits.bins import TrackBins
from pgf_cli.hits.discovery import false_discovery_rates
from pgf_cli.hits.enrichment import (
    DONORS,
    STARTS,
    Motif,
    NoSitesError,
    SiteComparison,
    Standing,
    StrandTracks,
    compare_sites,
)
from pgf_cli.hits.hits import Hit
from pgf_cli.hits.peaks import Peak, PeakFinder
from pgf_cli.hits.persistence import half_life, lags, nearest_pulse, reach
from pgf_cli.hits.sketch import TrackSketch

__all__ = [
    "Hit",
    "Peak",
    "PeakFinder",
    "TrackSketch",
    "TrackBins",
    "false_discovery_rates",
    "nearest_pulse",
    "half_life",
    "lags",
    "reach",
    "compare_sites",
    "SiteComparison",
    "StrandTracks",
    "Standing",
    "Motif",
    "DONORS",
    "STARTS",
    "NoSitesError",
]
