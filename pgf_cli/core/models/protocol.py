"""What the sweeps ask of a model: read a tile of bases, hand a fixed-size state to the next tile."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp, vjp, vmap

from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.models.derived import TANGENTS_ONLY, derived_jvp, derived_vjp, no_tangents
from pgf_cli.core.models.tile_derivatives import InitialAdjoint, State, TileAdjoint, TileDual, map_state

__all__ = [
    "BaseIds",
    "InitialAdjoint",
    "SequenceModel",
    "State",
    "StreamingModel",
    "TileAdjoint",
    "TileDual",
    "map_state",
]


class BaseIds(NamedTuple):
    """Rows of a token model's embedding that stand for the bases; ``n`` is None where the vocabulary has no N."""

    a: int
    c: int
    g: int
    t: int
    n: int | None


class _InitialState(nn.Module):
    """A model's ``initial_state`` as a module, so that its parameters can be exchanged."""

    def __init__(self, model: "StreamingModel") -> None:
        super().__init__()
        self.model = model

    def forward(self, first: Tensor) -> State:
        return self.model.initial_state(first)


class SequenceModel(nn.Module, ABC):
    """A model that maps a sequence x (L, 5) to an output y (L, C); whoever sweeps it knows which kind it is."""

    lookahead: int = 0
    """How many of the first inputs the initial state is a function of."""

    output: OutputLayer
    """Which output the model gives."""

    reads_n: bool = True
    """Whether the model has an input for N."""

    labels: int = 0
    """How many scores a classification or regression head gives a sequence; 0: there is no such head."""

    pools_last: bool = False
    """Whether such a head reads the hidden state of the last base; else the mean over all."""

    def score_rows(self) -> Tensor:
        """Return the rows of that head, (labels, channels of ``hidden``).

        Raises:
            NotImplementedError: there is none.
        """
        raise NotImplementedError

    def score_weights(self, row: int, first: int, last: int, length: int) -> Tensor:
        """Return w (last - first, channels of ``hidden``) such that a score is the sum of w . hidden over a sequence.

        Args:
            row: which score.
            first, last: positions of a tile, half-open, counted from the first base read.
            length: bases read.
        """
        rows = self.score_rows()[row].expand(last - first, -1)
        if not self.pools_last:
            return rows / length
        at = torch.arange(first, last, device=rows.device)[:, None]
        return rows * (at == length - 1)

    @property
    def width(self) -> int:
        """How many numbers a base's widest activation has; for choosing a tile, so a guess will do."""
        return 256

    @abstractmethod
    def whole(self, x: Tensor) -> Tensor:
        """Map a whole sequence x (L, 5) to y (L, C): the definition, in differentiable torch."""

    @property
    def dtype(self) -> torch.dtype:
        """The number format of states and outputs."""
        return next(self.parameters()).dtype

    @property
    def product_dtype(self) -> torch.dtype:
        """The number format of the factors in matrix products: ``dtype``, or bfloat16."""
        halved = any(weight.dtype == torch.bfloat16 for weight in self.parameters())
        return torch.bfloat16 if halved else self.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device


class StreamingModel(SequenceModel):
    """A causal model that reads x (T, 5) tile by tile; between tiles only its state passes.

    A new family implements ``initial_state`` and ``forward`` in differentiable torch and is exact from the first day:
    ``jvp`` and ``vjp`` come from ``torch.func``. A family that knows its analytic form overrides them.
    """

    def whole(self, x: Tensor) -> Tensor:
        """Read a whole sequence as one tile."""
        y: Tensor = self.forward(x, self.initial_state(x[: self.lookahead]))[0]
        return y

    @abstractmethod
    def initial_state(self, first: Tensor) -> State:
        """Return the state before the first base, a function of the first min(L, lookahead) inputs (., 5)."""

    @abstractmethod
    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one tile x (T, 5); return its output y (T, channels of the output) and the state after it."""

    def has_own(self, verb: str) -> bool:
        """Whether ``jvp`` or ``vjp`` are the family's own formulas, not those that ``torch.func`` derives."""
        return getattr(type(self), verb) is not getattr(StreamingModel, verb)

    def initial_jvp(self, first: Tensor, first_dot: Tensor) -> tuple[State, State]:
        """Return the initial state and its tangents along first_dot (K, ., 5)."""

        def along(dot: Tensor) -> tuple[State, State]:
            state, state_dot = jvp(self.initial_state, (first,), (dot,))  # type: ignore[misc]
            return state_dot, state

        if not len(first_dot):
            state = self.initial_state(first)
            return state, map_state(no_tangents, state)
        state_dot, state = vmap(along, out_dims=TANGENTS_ONLY)(first_dot)
        return state, state_dot

    def jvp(self, x: Tensor, x_dot: Tensor, state: State, state_dot: State) -> TileDual:
        """Return a tile's output, the state after it, and the tangents of both along K directions.

        Args:
            x: the tile's input, (T, 5).
            x_dot: K directions in it, (K, T, 5).
            state: the state before the tile.
            state_dot: its K tangents: the same nest, each tensor with a leading K.

        Returns:
            y (T, C), y_dot (K, T, C), the state after the tile and its K tangents.

        Source: forward-mode differentiation by ``torch.func``, which knows nothing of the model.
        """
        return derived_jvp(self.forward, x, x_dot, state, state_dot)

    def initial_vjp(self, first: Tensor, state_bar: State, *, parameters: bool = False) -> InitialAdjoint:
        """Return the gradients of <state_bar, initial state> with respect to the inputs (., 5) and the parameters."""
        initial_state = _InitialState(self)
        weights = {name: weight.detach() for name, weight in self.named_parameters()} if parameters else {}

        def run(weights: dict[str, Tensor], first: Tensor) -> State:
            return functional_call(initial_state, {f"model.{name}": w for name, w in weights.items()}, (first,))

        _, pull_back = vjp(run, weights, first)  # type: ignore[misc]
        weight_bars, first_bar = pull_back(state_bar)
        return InitialAdjoint(first_bar, weight_bars if parameters else None)

    def vjp(self, x: Tensor, state: State, y_bar: Tensor, state_bar: State, *, parameters: bool = False) -> TileAdjoint:
        """Compute a tile again from the state before it; return its output and the gradients of what went into it.

        Args:
            x: the tile's input, (T, 5).
            state: the state before the tile.
            y_bar: adjoint of the tile's output, (T, C).
            state_bar: adjoint of the state after the tile, the same nest as the state.
            parameters: whether to return the gradients of the parameters, too.

        Returns:
            y (T, C), x_bar (T, 5), the adjoint of the state before the tile, and the tile's share of the
            gradients of the parameters.

        Source: reverse-mode differentiation by ``torch.func``, which knows nothing of the model.
        """
        return derived_vjp(self, x, state, y_bar, state_bar, parameters=parameters)
