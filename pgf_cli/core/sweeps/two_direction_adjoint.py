"""The adjoint sweep of a two-direction model: features forwards a layer at a time, then layers back from the last.

The features before every layer are kept, or, where there is no room for all of them, those before a few, the others
being computed again by the same schedule that walks back over tiles (``snapshots``). In a layer, each pass is walked
back against its own direction.
"""

from collections.abc import Callable, Iterator

from pgf_cli.core.bases import BaseSequence
from pgf_cli.core.models.two_direction import TwoDirectionModel
from pgf_cli.core.objectives import Objective, Targets
from pgf_cli.core.sweeps.adjoint_tile import AdjointTile
from pgf_cli.core.sweeps.device import HostLink
from pgf_cli.core.sweeps.features import FeatureRoom, Features, FeatureSpace
from pgf_cli.core.sweeps.layers import Layers, Tiles
from pgf_cli.core.sweeps.snapshots import Schedule, SnapshotSpace, schedule_of, walk_back
from pgf_cli.core.sweeps.told import Portions
from pgf_cli.core.sweeps.two_direction import Ends

WORKING = 4
"""Features held beside those that are kept: two while a layer is read, two adjoints."""


class TwoDirectionAdjointSweep:
    """An iterable of ``AdjointTile`` from right to left; see ``adjoint_sweep``."""

    value: float
    """phi, summed in float64."""
    schedule: Schedule
    """How the first layer's passes are walked back."""
    parameter_bars: None = None

    def __init__(
        self,
        model: TwoDirectionModel,
        sequence: BaseSequence,
        objective: Objective,
        *,
        start: int,
        end: int,
        tile: int,
        snapshots: SnapshotSpace,
        space: FeatureSpace,
        masked: Targets | None,
        advance: Callable[[int], None],
    ) -> None:
        self._model, self._sequence, self._objective = model, sequence, objective
        self._start, self._end, self._tiles = start, end, Tiles(end - start, tile)
        self._snapshots, self._space = snapshots, space
        self._link = HostLink(model.device)
        self._ends = Ends(model, sequence, start, masked, self._link)
        self._advance = advance
        self.schedule = Layers(model, self._tiles, self._link, lambda _: None).largest_schedule(snapshots)

    def __iter__(self) -> Iterator[AdjointTile]:
        """Sweep; the value begins at zero."""
        self.value = 0.0
        room = FeatureRoom(self._space, self._model.device, self._model.dtype)
        shape = (self._model.streams, 1, self._tiles.length, self._model.features)
        count = self._model.layers_count
        kept = max(1, min(count - 1, room.holds(shape) - WORKING))
        self.layer_schedule = schedule_of(count, kept, room.bytes_of(shape))
        told = Portions(
            self._tiles.length, 2 * (2 * count + self.layer_schedule.extra_tiles) * self._tiles.length, self._advance
        )
        layers = Layers(self._model, self._tiles, self._link, told)

        def after(layer: int, features: Features) -> Features:
            following = room.make(shape)
            layers.forward(layer, features, following, 0)
            return following

        bar: Features | None = None
        for layer, features in walk_back(self.layer_schedule, self._embedded(room.make(shape)), after, _ByReference()):
            if bar is None:
                bar = room.make(shape)
                outputs, values = self._pull_outputs_back(after(layer, features), bar, room)
            below = room.make(shape)
            layers.backward(layer, features, bar, below, self._snapshots)
            bar = below
        if bar is None:
            raise ValueError("a model without layers")
        for index in reversed(range(self._tiles.number)):
            first, last = self._tiles.bounds(index)
            with self._link.computing():
                x_bar = self._ends.base_bars(first, last, bar.read(first, last)[:, 0]).cpu()
            y = outputs.read(first, last)[0, 0].cpu()
            self.value += values[index]
            yield AdjointTile(self._start + first, self._ends.codes(first, last), y, x_bar, values[index], None)

    def _embedded(self, features: Features) -> Features:
        for first, last in self._tiles:
            with self._link.computing():
                features.write(first, last, self._ends.features(first, last, lambda x: x.new_zeros(0, *x.shape)))
        return features

    def _pull_outputs_back(self, features: Features, bar: Features, room: FeatureRoom) -> tuple[Features, list[float]]:
        """Fill in the adjoint of the last features; return the outputs and each tile's share of the objective."""
        outputs, values = None, []
        for first, last in self._tiles:
            codes = self._ends.codes(first, last)
            at = self._start + last
            following = int(self._sequence[at : at + 1][0]) if at < self._end else None
            w = self._objective.weights(self._start + first, codes, following).cpu()
            with self._link.computing():
                y, r_bar = self._ends.output_bars(features.read(first, last)[:, 0], w.to(self._model.device))
                bar.write(first, last, r_bar[:, None])
                outputs = outputs or room.make((1, 1, self._tiles.length, y.shape[1]))
                outputs.write(first, last, y[None, None])
                values.append((w.double() * y.cpu().double()).sum().item())
        if outputs is None:
            raise ValueError("nothing to read")
        return outputs, values


class _ByReference:
    """Keeps features themselves: nobody changes them once they are made."""

    def __init__(self) -> None:
        self._slots: dict[int, Features] = {}

    def put(self, slot: int, state: Features) -> None:
        self._slots[slot] = state

    def get(self, slot: int) -> Features:
        return self._slots[slot]
