"""What distinguishes one model family from another: everything that the rest of the program asks of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

import torch
from torch import Tensor

from pgf_cli.checkpoints.layout import Layout
from pgf_cli.checkpoints.sizes import Axis
from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.models.protocol import BaseIds, SequenceModel

HEAD = "lm_head.weight"
"""What a family with a head of its own calls it."""

Head = Literal["tied", "own", "none"]
"""A tied head is the embedding."""

Traversal = Literal["one sweep", "layer by layer"]

_NO_IDS = BaseIds(0, 0, 0, 0, None)


class ModelConfig(Protocol):
    """The sizes and settings of a model: a frozen dataclass, a class of its own for each family."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


C = TypeVar("C", bound=ModelConfig)


class HeadSettings(Protocol):
    """A config that says whether there is a head, and whether it is the embedding."""

    @property
    def head(self) -> bool:
        """Whether there is a language-model head."""
        ...

    @property
    def tied(self) -> bool:
        """Whether the head is the embedding."""
        ...


def head_of(config: HeadSettings) -> Head:
    """Return where the head is by a config's own fields."""
    if not config.head:
        return "none"
    return "tied" if config.tied else "own"


class ScoreSettings(Protocol):
    """A config that says how many scores a classification or regression head gives."""

    @property
    def labels(self) -> int:
        """How many; 0: there is no such head."""
        ...


def score_objectives(config: ScoreSettings) -> tuple[str, ...]:
    """Return the objectives of a classification or regression head."""
    return ("class:J",) if config.labels else ()


def _headless(_: object) -> Head:
    return "none"


@dataclass(frozen=True, kw_only=True)
class Family(Generic[C]):
    """A model family."""

    name: str
    """What our own format calls it: ``architecture``."""
    config: type[C]
    """Fields of ``int``, ``float``, ``float | None`` and ``bool``, named as the field names them: d_model, ..."""
    make: Callable[[C, BaseIds, OutputLayer], SequenceModel]
    """The model of a config; a family without tokens ignores the ids."""
    sizes: Callable[[Mapping[str, Tensor], object], Mapping[str, int | bool]]
    """What the tensors alone decide, by the names of the config's fields; the second argument is for messages."""
    axes: Mapping[str, Axis]
    """Which tensor decides which size, for messages; a size without one is decided by all of them."""
    required: tuple[str, ...] = ()
    """Sizes that our own format must state, though the tensors decide them."""
    vocabulary: Callable[[C], int | None] | None = None
    """How many tokens there are; None, or a function that returns it, for models that read the bases one-hot."""
    head: Callable[[C], Head] = _headless
    """Where the language-model head is; a tied one is not among the model's tensors."""
    traversal: Traversal = "one sweep"
    """How its sweeps read a record: a causal model's once; a model of two directions every layer in turn."""
    outputs: tuple[OutputLayer, ...] | None = None
    """What its models can be asked for, the default first; None: by the head."""
    head_objectives: Callable[[C], tuple[str, ...]] | None = None
    """Objectives of heads beside the language model's, the default first: ``class:0``, ...; None: there are none."""
    layouts: tuple[Layout, ...] = ()
    """How others save such models, beside our own format: asked in this order."""

    def field_names(self) -> tuple[str, ...]:
        """Return the names of the config's fields."""
        return tuple(field.name for field in fields(self.config))

    def tokens(self, config: C) -> int | None:
        """Return how many tokens a model has; None where it reads the bases one-hot."""
        return self.vocabulary(config) if self.vocabulary else None

    def output_layers(self, config: C) -> tuple[OutputLayer, ...]:
        """Return what the model can be asked for, the default first."""
        if self.outputs is not None:
            return self.outputs
        return ("hidden",) if self.head(config) == "none" else ("logprobs", "logits", "hidden")

    def objectives(self, config: C) -> tuple[str, ...]:
        """Return what ``--objective`` can be, the default first; J is a base or a row of the head."""
        layers = self.output_layers(config)
        own = self.head_objectives(config) if self.head_objectives else ()
        scores = ("sum", "loglik") if layers[0] != "logprobs" else ("loglik", "sum")
        kept = tuple(name for name in scores if name != "loglik" or "logprobs" in layers)
        return (*own, *kept, *(("logit:J",) if "logits" in layers else ()))

    def empty_model(self, config: C, base_ids: BaseIds | None, output: OutputLayer) -> SequenceModel:
        """Make a model whose weights hold nothing yet.

        Args:
            config: the model's sizes.
            base_ids: token ids of the bases; None for a model that reads the one-hot itself.
            output: one of ``output_layers(config)``.
        """
        with torch.device("meta"):
            return self.make(config, base_ids or _NO_IDS, output)

    def shapes(self, config: C) -> dict[str, tuple[int, ...]]:
        """Return the model's tensors by name; asked of the model itself, so that they are written down once."""
        model = self.empty_model(config, None, self.output_layers(config)[-1])
        return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}

    def parts(self, config: C) -> set[str]:
        """Return the first words of the names of the model's tensors, a tied head's among them."""
        names = [*self.shapes(config), *([] if self.head(config) == "none" else [HEAD])]
        return {name.partition(".")[0] for name in names}
