"""Where a track peaks and how unusual that is: hits, their statistics, and the bins of a sparkline, all streamed."""

from pgf_cli.pulses.bins import TrackBins
from pgf_cli.pulses.discovery import false_discovery_rates
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
]
