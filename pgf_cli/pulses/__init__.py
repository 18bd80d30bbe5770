"""Where a track peaks and how unusual that is: hits, their statistics, and the bins of a sparkline, all streamed."""

from pgf_cli.pulses.bins import TrackBins
from pgf_cli.pulses.hits import Hit
from pgf_cli.pulses.peaks import Peak, PeakFinder
from pgf_cli.pulses.sketch import TrackSketch

__all__ = ["Hit", "Peak", "PeakFinder", "TrackSketch", "TrackBins"]
