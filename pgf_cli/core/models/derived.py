"""Tangents and adjoints of one tile by ``torch.func``, which knows nothing of what it differentiates."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call, jvp, vjp, vmap

from pgf_cli.core.models.tile_derivatives import State, TileAdjoint, TileDual, map_state

Step = Callable[[Tensor, State], tuple[Tensor, State]]
"""Maps a tile's input and the state before it to its output and the state after it."""

# torch.func.vmap: tangents get a leading K, the primal, which all directions share, does not.
TANGENTS_ONLY: Any = (0, None)


def no_tangents(primal: Tensor) -> Tensor:
    """Return the tangents of a tensor along no direction."""
    return primal.new_zeros(0, *primal.shape)


def derived_jvp(step: Step, x: Tensor, x_dot: Tensor, state: State, state_dot: State) -> TileDual:
    """Return a tile's output and the state after it, with their tangents along K directions.

    Args:
        step: in differentiable torch.
        x: the tile's input, (T, ...).
        x_dot: K directions in it.
        state: the state before the tile.
        state_dot: its K tangents: the same nest, each tensor with a leading K.
    """

    def along(dots: tuple[Tensor, State]) -> tuple[tuple[Tensor, State], tuple[Tensor, State]]:
        primal, tangent = jvp(step, (x, state), dots)  # type: ignore[misc]
        return tangent, primal

    if not len(x_dot):
        y, after = step(x, state)
        return TileDual(y, no_tangents(y), after, map_state(no_tangents, after))
    (y_dot, after_dot), (y, after) = vmap(along, out_dims=TANGENTS_ONLY)((x_dot, state_dot))
    return TileDual(y, y_dot, after, after_dot)


def derived_vjp(
    module: nn.Module, x: Tensor, state: State, y_bar: Tensor, state_bar: State, *, parameters: bool
) -> TileAdjoint:
    """Compute a tile again; return its output and the gradients of what went into it.

    Args:
        module: its ``forward`` is a `Step`.
        x: the tile's input.
        state: the state before the tile.
        y_bar, state_bar: adjoints of the output and of the state after the tile.
        parameters: whether to return the gradients of the parameters, too.
    """
    weights = {name: weight.detach() for name, weight in module.named_parameters()} if parameters else {}

    def run(weights: dict[str, Tensor], x: Tensor, state: State) -> tuple[Tensor, State]:
        output: tuple[Tensor, State] = functional_call(module, weights, (x, state))
        return output

    (y, _), pull_back = vjp(run, weights, x, state)  # type: ignore[misc]
    weight_bars, x_bar, before_bar = pull_back((y_bar, state_bar))
    return TileAdjoint(y, x_bar, before_bar, weight_bars if parameters else None)
