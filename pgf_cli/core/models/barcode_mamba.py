"""BarcodeMamba: blocks of a Mamba-2 mixer and an MLP, each behind a LayerNorm; a head of its own.

    r <- r + Mamba2(LN r),    r <- r + fc2 gelu(fc1 LN r),    logits = LN(r) W^T

Source: the model's definition in the BarcodeMamba repository (``utils/barcode_mamba.py``). It carries what a block adds
and the residual apart, as flash-attention does: the same sum.
"""

from dataclasses import dataclass
from functools import partial

from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.models.mamba2_block import Mamba2Config, Mamba2Mixer
from pgf_cli.core.models.mlp import GeluMLP
from pgf_cli.core.models.norms import LayerNorm
from pgf_cli.core.models.protocol import BaseIds
from pgf_cli.core.models.stack import Block, StackModel


@dataclass(frozen=True, kw_only=True)
class BarcodeMambaConfig:
    """Sizes of a BarcodeMamba."""

    d_model: int
    """Model width D."""
    n_layer: int
    heads: int
    head_dim: int
    """Channels of one head; heads times head_dim is the width E inside a mixer, 2 D."""
    d_state: int
    """State size N per inner channel."""
    d_conv: int
    """Taps of the causal convolution."""
    d_mlp: int
    """Width inside an MLP, usually 4 D."""
    vocab_size: int
    """Rows of the embedding and of the head, padding included."""
    norm_eps: float = 1e-5
    head: bool = True
    """Whether there is a language-model head; without it the output is ``hidden``."""

    @property
    def tied(self) -> bool:
        """Never: the head has weights of its own."""
        return False

    @property
    def mixer(self) -> Mamba2Config:
        """The sizes of the mixers."""
        return Mamba2Config(
            d_model=self.d_model,
            n_layer=self.n_layer,
            heads=self.heads,
            head_dim=self.head_dim,
            d_state=self.d_state,
            d_conv=self.d_conv,
            vocab_size=self.vocab_size,
        )


class BarcodeMambaBlock(Block):
    """Two residual branches."""

    branch_names = (("norm1", "mixer"), ("norm2", "mlp"))

    def __init__(self, config: BarcodeMambaConfig) -> None:
        super().__init__()
        self.norm1 = LayerNorm(config.d_model, config.norm_eps)
        self.mixer = Mamba2Mixer(config.mixer)
        self.norm2 = LayerNorm(config.d_model, config.norm_eps)
        self.mlp = GeluMLP(config.d_model, config.d_mlp)


class BarcodeMambaLM(StackModel):
    """A causal language model over single-base tokens."""

    def __init__(self, config: BarcodeMambaConfig, base_ids: BaseIds, output: OutputLayer) -> None:
        norm_f = LayerNorm(config.d_model, config.norm_eps)
        super().__init__(config, base_ids, output, partial(BarcodeMambaBlock, config), norm_f=norm_f)
        self.config = config

    @property
    def width(self) -> int:
        """That of an MLP, or of a mixer's in_proj."""
        return max(self.config.d_mlp, 2 * self.config.mixer.d_inner)
