"""What distinguishes one model family from another: everything that the rest of the program asks of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

import torch
from torch import Tensor

from pgf_cli.checkpoints.layout import Layout
from pgf_cli.checkpoints.sizes import Axis
from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.models.protocol import BaseIds, StreamingModel

HEAD = "lm_head.weight"
"""What a family with a head of its own calls it."""

Head = Literal["tied", "own", "none"]
"""A tied head is the embedding."""

_NO_IDS = BaseIds(0, 0, 0, 0, None)


class ModelConfig(Protocol):
    """The sizes and settings of a model: a frozen dataclass, a class of its own for each family."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


C = TypeVar("C", bound=ModelConfig)


def _headless(_: object) -> Head:
    return "none"


@dataclass(frozen=True, kw_only=True)
class Family(Generic[C]):
    """A model family."""

    name: str
    """What our own format calls it: ``architecture``."""
    config: type[C]
    """Fields of ``int``, ``float`` and ``bool``, named as the field names them: d_model, d_inner, d_state, ..."""
    make: Callable[[C, BaseIds, OutputLayer], StreamingModel]
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
        return ("hidden",) if self.head(config) == "none" else ("logprobs", "logits", "hidden")

    def empty_model(self, config: C, base_ids: BaseIds | None, output: OutputLayer) -> StreamingModel:
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
        model = self.empty_model(config, None, "hidden")
        return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}

    def parts(self, config: C) -> set[str]:
        """Return the first words of the names of the model's tensors, a tied head's among them."""
        names = [*self.shapes(config), *([] if self.head(config) == "none" else [HEAD])]
        return {name.partition(".")[0] for name in names}
