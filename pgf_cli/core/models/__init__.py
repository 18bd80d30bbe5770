"""Streaming models: one file per family."""

from pgf_cli.core.models.mamba import MambaConfig, MambaLM
from pgf_cli.core.models.protocol import BaseIds, OutputLayer, StreamingModel

__all__ = ["BaseIds", "MambaConfig", "MambaLM", "OutputLayer", "StreamingModel"]
