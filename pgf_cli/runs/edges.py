"""A sweep's edges as named tensors, and back: what a part keeps of them."""

from collections.abc import Mapping

import torch
from torch import Tensor

from pgf_cli.core.models import StreamingModel
from pgf_cli.core.models.protocol import State, map_state
from pgf_cli.core.one_hot import X_COLUMNS
from pgf_cli.core.sweeps import AdjointEdge, TangentEdge, leaves


def tangent_tensors(edge: TangentEdge) -> dict[str, Tensor]:
    """Return an edge's tensors by name."""
    return {**_named("state", edge.state), **_named("state_dot", edge.state_dot)}


def adjoint_tensors(edge: AdjointEdge) -> dict[str, Tensor]:
    """Return an edge's tensors by name; none right of the last target."""
    return {} if edge.state_bar is None else _named("state_bar", edge.state_bar)


def tangent_edge_of(model: StreamingModel, position: int, tensors: Mapping[str, Tensor]) -> TangentEdge:
    """Return the edge that the tensors were taken from."""
    return TangentEdge(position, _nest(model, "state", tensors), _nest(model, "state_dot", tensors))


def adjoint_edge_of(model: StreamingModel, position: int, tensors: Mapping[str, Tensor]) -> AdjointEdge:
    """Return the edge that the tensors were taken from."""
    return AdjointEdge(position, _nest(model, "state_bar", tensors) if tensors else None)


def _named(name: str, state: State) -> dict[str, Tensor]:
    return {f"{name}.{index}": leaf for index, leaf in enumerate(leaves(state))}


def _nest(model: StreamingModel, name: str, tensors: Mapping[str, Tensor]) -> State:
    """Arrange tensors as the model's states are."""
    first = torch.zeros(model.lookahead, X_COLUMNS, dtype=model.dtype, device=model.device)
    with torch.no_grad():
        like = model.initial_state(first)
    numbers = iter(range(len(leaves(like))))
    return map_state(lambda leaf: tensors[f"{name}.{next(numbers)}"], like)
