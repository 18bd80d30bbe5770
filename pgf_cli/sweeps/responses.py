"""Responses: y_dot = J v along a record, left to right."""

from collections.abc import Callable, Iterator

from pgf_cli.core.directions import Direction
from pgf_cli.core.models import SequenceModel, TwoDirectionModel
from pgf_cli.core.objectives import Targets
from pgf_cli.core.sweeps import DEFAULT_SPACE, FeatureSpace, TangentEdge, TangentTile, tangent_sweep
from pgf_cli.errors import UsageError
from pgf_cli.sweeps.finite import check_finite
from pgf_cli.sweeps.record import SweptRecord


def tangents_carried(directions: int, ghost_distance: int) -> int:
    """Return how many tangents a sweep carries: each direction as three where there are ghosts."""
    return directions * (3 if ghost_distance else 1)


GHOST_DISTANCE = 1000
"""W of a causal model, unless somebody says."""


def ghost_distance_of(model: SequenceModel, asked: int | None) -> int:
    """Return W for a model; 0: no ghosts.

    A causal model's ghosts cost two more tangents, however long the sequence; those of a model that reads in both
    directions cost one for each W bases, so there are none unless they are asked for.
    """
    if asked is not None:
        return asked
    return 0 if isinstance(model, TwoDirectionModel) else GHOST_DISTANCE


def check_ghost_distance(distance: int, model: SequenceModel) -> None:
    """See that a model can be swept with ghosts of that distance; 0 is none.

    Raises:
        UsageError: it cannot.
    """
    if 0 < distance < model.lookahead:
        raise UsageError(
            f"--ghost-distance {distance} is less than the {model.lookahead} bases that this model's initial state "
            "reads; use 0, or that many or more"
        )


def responses(
    model: SequenceModel,
    record: SweptRecord,
    direction: Direction,
    *,
    start: int,
    end: int,
    tile: int,
    ghost_distance: int | None = None,
    begin: TangentEdge | None = None,
    space: FeatureSpace = DEFAULT_SPACE,
    masked: Targets | None = None,
    advance: Callable[[int], None] = lambda bases: None,
) -> Iterator[TangentTile]:
    """Yield output, derivative and ghost of each tile from left to right; see ``core.sweeps.tangent_sweep``.

    Args:
        model: any model.
        record: the bases on the strand that is read; positions are along it.
        direction: the K directions.
        start, end: what is read, 0-based half-open.
        tile: bases per tile.
        ghost_distance: W; None carries no ghosts.
        begin: go on from this edge.
        space: where a two-direction model's features are kept.
        masked: positions that a two-direction model reads as [MASK].
        advance: told how many bases a two-direction model has read, as a share of all layers.

    Raises:
        NonFiniteError: a derivative is not a number.
    """
    tiles = tangent_sweep(
        model, record, direction, start=start, end=end, tile=tile, ghost_distance=ghost_distance, begin=begin,
        space=space, masked=masked, advance=advance,
    )  # fmt: skip
    for tile_read in tiles:
        edge = tile_read.after
        states = () if edge is None else (edge.state, edge.state_dot)
        check_finite("response", tile_read.y_dot, tile_read.bases, tile_read.start, record, states, last=False)
        yield tile_read
