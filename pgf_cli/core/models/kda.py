"""Language models of Kimi delta attention, of any depth.

Source: arXiv 2510.26692; arithmetic and tensor names of Mnemos-DNA's reference code (recall-bench 0.2.1).
"""

from functools import partial

from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.models.kda_block import KdaBlock, KdaConfig
from pgf_cli.core.models.protocol import BaseIds
from pgf_cli.core.models.stack import StackModel


class KdaLM(StackModel):
    """A causal language model over single-base tokens."""

    def __init__(self, config: KdaConfig, base_ids: BaseIds, output: OutputLayer) -> None:
        super().__init__(config, base_ids, output, partial(KdaBlock, config))
        self.config = config

    @property
    def width(self) -> int:
        """That of what a block makes of a base: q, k, v, decays and a copy, or the SwiGLU's halves."""
        return max(5 * self.config.d_model, 2 * self.config.d_mlp)
