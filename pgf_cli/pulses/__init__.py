"""Where a track peaks and how unusual that is, all streamed; and whether it is higher at annotated sites."""

from pgf_cli.pulses.bins import TrackBins
from pgf_cli.pulses.discovery import false_discovery_rates
from pgf_cli.pulses.enrichment import (
    DONORS,
    STARTS,
    Motif,
    NoSitesError,
    SiteComparison,
    Standing,
    StrandTracks,
    compare_sites,
)
from pgf_cli.pulses.hits import Hit
from pgf_cli.pulses.peaks import Peak, PeakFinder
from pgf_cli.pulses.persistence import half_life, nearest_pulse, reach
from pgf_cli.pulses.sketch import TrackSketch

__all__ = [
    "Hit",
    "Peak",
    "PeakFinder",
    "TrackSketch",
    "TrackBins",
    "false_discovery_rates",
    "nearest_pulse",
    "half_life",
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
