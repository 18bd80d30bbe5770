"""Mamba language models of any depth.

Source: Gu & Dao 2023; arithmetic and tensor names of the mamba_ssm and Hugging Face implementations.
"""

from functools import partial
from typing import cast

from torch import nn

from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.models.mamba_block import MambaBlock, MambaConfig
from pgf_cli.core.models.norms import make_norm
from pgf_cli.core.models.protocol import BaseIds
from pgf_cli.core.models.stack import StackModel


class MambaLM(StackModel):
    """A causal Mamba over single-base tokens or one-hot tracks."""

    def __init__(self, config: MambaConfig, base_ids: BaseIds, output: OutputLayer) -> None:
        super().__init__(
            config,
            base_ids,
            output,
            partial(MambaBlock, config),
            embedding=nn.Linear(config.vocab_size, config.d_model) if config.one_hot else None,
            norm_f=make_norm(config.d_model, config.norm_eps, layer_norm=config.layer_norm),
        )
        self.config = config
        self.add_score(config.labels, config.d_model, pools_last=config.pools_last)

    @property
    def blocks(self) -> list[MambaBlock]:  # type: ignore[override]
        """The layers, typed."""
        return cast(list[MambaBlock], list(self.layers))

    @property
    def width(self) -> int:
        """That of in_proj's result, 2 E."""
        return 2 * self.config.d_inner
