"""Streaming models: one file per family."""

from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.models.frechet import FrechetConfig, FrechetModel
from pgf_cli.core.models.mamba import MambaLM
from pgf_cli.core.models.mamba_block import MambaConfig
from pgf_cli.core.models.protocol import BaseIds, StreamingModel

__all__ = ["BaseIds", "FrechetConfig", "FrechetModel", "MambaConfig", "MambaLM", "OutputLayer", "StreamingModel"]
