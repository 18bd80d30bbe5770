"""Streaming models: one file per family."""

from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.models.barcode_mamba import BarcodeMambaConfig, BarcodeMambaLM
from pgf_cli.core.models.frechet import FrechetConfig, FrechetModel
from pgf_cli.core.models.kda import KdaLM
from pgf_cli.core.models.kda_block import KdaConfig
from pgf_cli.core.models.mamba import MambaLM
from pgf_cli.core.models.mamba2 import Mamba2LM
from pgf_cli.core.models.mamba2_block import Mamba2Config
from pgf_cli.core.models.mamba_block import MambaConfig
from pgf_cli.core.models.protocol import BaseIds, SequenceModel, StreamingModel
from pgf_cli.core.models.two_direction import TwoDirectionModel

__all__ = [
    "BarcodeMambaConfig",
    "BarcodeMambaLM",
    "BaseIds",
    "FrechetConfig",
    "FrechetModel",
    "KdaConfig",
    "KdaLM",
    "Mamba2Config",
    "Mamba2LM",
    "MambaConfig",
    "MambaLM",
    "OutputLayer",
    "SequenceModel",
    "StreamingModel",
    "TwoDirectionModel",
]
