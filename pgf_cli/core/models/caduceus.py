"""Caduceus: Mamba or Mamba-2 layers that read in both directions, of one strand (PH) or of both side by side (PS).

    r <- r' + M_fwd(norm r') + flip M_rev(flip norm r'),    r' = r, or for PS with swapped strands, see below

Both mixers of a layer share a norm. PS reads the sequence and its reverse complement with the same weights; here the
second strand is kept in the first one's positions, so its forward mixer reads from right to left. Published PS models
were trained by a fused code path that exchanges the two strands, channels turned round, before every layer: that is a
part of the trained function (``swapped``), though a symmetric one, so that no test of symmetry shows it.

Source: Schiff et al. 2024; arithmetic of the repository kuleshov-group/caduceus.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.models.branch import Branch, Mixer
from pgf_cli.core.models.embedding import NONE, UNSAID, Count, TokenId, standard_normal_embedding
from pgf_cli.core.models.head import Head
from pgf_cli.core.models.mamba2_block import Mamba2Config, Mamba2Mixer, in_width
from pgf_cli.core.models.mamba_block import MambaMixer, MambaSizes
from pgf_cli.core.models.norms import RMSNorm
from pgf_cli.core.models.protocol import BaseIds
from pgf_cli.core.models.two_direction import Pass, TwoDirectionModel

NO_MASK = TokenId(-1)


class TwoStrandSizes(Protocol):
    """The sizes and settings that these models have in common, whatever their mixer is."""

    @property
    def d_model(self) -> int:
        """Model width D, of one strand."""
        ...

    @property
    def n_layer(self) -> int:
        """How many layers."""
        ...

    @property
    def vocab_size(self) -> int:
        """Rows of the embedding and of the head, padding included."""
        ...

    @property
    def norm_eps(self) -> float:
        """Of every norm."""
        ...

    @property
    def head(self) -> bool:
        """Whether there is a language-model head; without it the output is ``hidden``."""
        ...

    @property
    def tied(self) -> bool:
        """Whether the head is the embedding."""
        ...

    @property
    def both_strands(self) -> bool:
        """Whether the reverse complement is read beside the sequence (PS)."""
        ...

    @property
    def swapped(self) -> bool:
        """Whether the strands are exchanged before every layer."""
        ...

    @property
    def labels(self) -> int:
        """How many scores a classification or regression head gives; 0: there is none."""
        ...

    @property
    def pools_last(self) -> bool:
        """Whether that head reads the last base's hidden state; else the mean over all."""
        ...

    @property
    def mask_id(self) -> int:
        """Token of [MASK]; -1: there is none."""
        ...


@dataclass(frozen=True, kw_only=True)
class StrandSettings:
    """What these models are asked beside the sizes of their mixers."""

    both_strands: bool = False
    """Whether the reverse complement is read beside the sequence (PS)."""
    swapped: bool = False
    """Whether the strands are exchanged before every layer, as in all published PS models."""
    mask_id: TokenId = NO_MASK
    """Token of [MASK]; -1: there is none."""
    labels: Count = field(default=NONE, metadata=UNSAID)
    """How many scores a classification or regression head gives; 0: there is none."""
    pools_last: bool = field(default=False, metadata=UNSAID)
    """Whether that head reads the last base's hidden state; else the mean over all."""


@dataclass(frozen=True)
class CaduceusConfig(StrandSettings, MambaSizes):
    """Sizes of a Caduceus of Mamba-1 mixers."""


@dataclass(frozen=True, kw_only=True)
class CaduceusMamba2Config(StrandSettings, Mamba2Config):
    """Sizes of a Caduceus of Mamba-2 mixers."""


class TwoMixers(nn.Module):
    """The mixers of one layer."""

    def __init__(self, make: Callable[[], Mixer]) -> None:
        super().__init__()
        self.mamba_fwd, self.mamba_rev = make(), make()


class CaduceusBlock(nn.Module):
    """One layer: a norm, and a mixer for each direction."""

    def __init__(self, d_model: int, norm_eps: float, make: Callable[[], Mixer]) -> None:
        super().__init__()
        self.norm = RMSNorm(d_model, norm_eps)
        self.mixer = TwoMixers(make)

    def branch(self, *, forward: bool) -> Branch:
        """Return the branch of one mixer."""
        name = "mamba_fwd" if forward else "mamba_rev"
        return Branch("norm", self.norm, f"mixer.{name}", getattr(self.mixer, name))


class Caduceus(TwoDirectionModel):
    """A masked language model that reads in both directions, of any mixer."""

    complement: Tensor

    def __init__(
        self, config: TwoStrandSizes, base_ids: BaseIds, output: OutputLayer, make_mixer: Callable[[], Mixer]
    ) -> None:
        super().__init__()
        self.base_ids, self.output = base_ids, output
        self.reads_n = base_ids.n is not None
        self.streams, self.features = 2 if config.both_strands else 1, config.d_model
        self.layers_count = config.n_layer
        self._swapped, self._tied, self._mask = config.swapped, config.tied, config.mask_id
        self.embedding = standard_normal_embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList(
            CaduceusBlock(config.d_model, config.norm_eps, make_mixer) for _ in range(config.n_layer)
        )
        self.norm_f = RMSNorm(config.d_model, config.norm_eps)
        if config.head and not config.tied:
            self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.labels, self.pools_last = config.labels, config.pools_last
        if config.labels:
            self.score = nn.Linear(config.d_model, config.labels, bias=False)
        if config.both_strands:
            # Token of the complement of each token: as numbers of the model's own format, as all its tensors are.
            self.register_buffer("complement", torch.arange(config.vocab_size, dtype=torch.float32))

    @property
    def final_norm(self) -> RMSNorm:
        """The norm before the head, of each strand."""
        return self.norm_f

    @property
    def has_mask(self) -> bool:
        """Whether bases can be read as [MASK]."""
        return self._mask != NO_MASK

    def base_rows(self) -> Tensor:
        """Return what A, C, G, T and N are read as by each strand, (S, 5, D); zeros for an N that has no token."""
        ids = [*self.base_ids[:4], self.base_ids[0] if self.base_ids.n is None else self.base_ids.n]
        rows = self._rows(torch.tensor(ids, device=self.embedding.weight.device))
        if self.base_ids.n is None:
            rows[:, 4] = 0
        return rows

    def mask_rows(self) -> Tensor:
        """Return what [MASK] is read as by each strand, (S, D)."""
        return self._rows(torch.tensor([self._mask], device=self.embedding.weight.device))[:, 0]

    def _rows(self, ids: Tensor) -> Tensor:
        """Embeddings of tokens (n,) on each strand, (S, n, D)."""
        strands = [ids] if self.streams == 1 else [ids, self.complement.long()[ids]]
        return torch.stack([self.embedding.weight[strand] for strand in strands])

    def carry(self, layer: int, r: Tensor) -> Tensor:
        """Return the features (S, ..., D), where the model does so with strands exchanged and channels turned round."""
        return r.flip(0).flip(-1) if self._swapped else r

    def passes(self, layer: int) -> tuple[Pass, ...]:
        """Return what a layer reads; on the second strand the forward mixer reads from right to left."""
        block = cast(CaduceusBlock, self.layers[layer])
        return tuple(
            Pass(strand, backwards, block.branch(forward=backwards == bool(strand)))
            for strand in range(self.streams)
            for backwards in (False, True)
        )

    def joined(self, hidden: Tensor) -> Tensor:
        """Return the strands side by side, (..., S D), the second one's channels turned round, as Caduceus does."""
        return super().joined(hidden if self.streams == 1 else torch.stack([hidden[0], hidden[1].flip(-1)]))

    def parted(self, joined_bar: Tensor) -> Tensor:
        """Return the adjoint (S, ..., D) of ``joined`` for that of its result (..., S D)."""
        bars = super().parted(joined_bar)
        return bars if self.streams == 1 else torch.stack([bars[0], bars[1].flip(-1)])

    def score_rows(self) -> Tensor:
        """Return the rows of the classification or regression head, (labels, S D): the mean over strands."""
        weight = self.score.weight
        return weight if self.streams == 1 else torch.cat([weight, weight.flip(-1)], dim=-1) / 2

    def score_weights(self, row: int, first: int, last: int, length: int) -> Tensor:
        """As for any model; the last base of the second strand is the first position."""
        weights = super().score_weights(row, first, last, length)
        if self.pools_last and self.streams == 2:
            weights = weights.clone()
            weights[:, self.features :] = 0
            if first == 0:
                weights[0, self.features :] = self.score_rows()[row, self.features :]
        return weights

    @property
    def head(self) -> Head:
        """From joined features to the output; the second strand's rows are those of the complements."""
        if self.output == "hidden":
            return Head("hidden", None, None)
        weight = self.embedding.weight if self._tied else self.lm_head.weight
        if self.streams == 2:
            weight = torch.cat([weight, weight[self.complement.long()].flip(-1)], dim=-1)
        return Head(self.output, weight, self.base_ids)


class CaduceusLM(Caduceus):
    """Caduceus of Mamba-1 mixers."""

    def __init__(self, config: CaduceusConfig, base_ids: BaseIds, output: OutputLayer) -> None:
        super().__init__(config, base_ids, output, lambda: MambaMixer(config))
        self.config = config

    @property
    def width(self) -> int:
        """That of in_proj's result, 2 E."""
        return 2 * self.config.d_inner


class CaduceusMamba2LM(Caduceus):
    """Caduceus of Mamba-2 mixers, such as PlantCAD2."""

    def __init__(self, config: CaduceusMamba2Config, base_ids: BaseIds, output: OutputLayer) -> None:
        super().__init__(config, base_ids, output, lambda: Mamba2Mixer(config))
        self.config = config

    @property
    def width(self) -> int:
        """That of in_proj's result, for z, u, B, C and the step sizes."""
        return in_width(self.config)
