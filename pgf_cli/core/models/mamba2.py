"""Mamba-2 language models of any depth.

Source: Dao & Gu 2024; arithmetic and tensor names of the mamba_ssm and Hugging Face implementations.
"""

from functools import partial

from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.models.mamba2_block import Mamba2Block, Mamba2Config, in_width
from pgf_cli.core.models.protocol import BaseIds
from pgf_cli.core.models.stack import StackModel


class Mamba2LM(StackModel):
    """A causal Mamba-2 language model over single-base tokens."""

    def __init__(self, config: Mamba2Config, base_ids: BaseIds, output: OutputLayer) -> None:
        super().__init__(config, base_ids, output, partial(Mamba2Block, config))
        self.config = config

    @property
    def width(self) -> int:
        """That of in_proj's result, for z, u, B, C and the step sizes."""
        return in_width(self.config)
