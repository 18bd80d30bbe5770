"""From a record's peaks to its hits, with everything that is said of them."""

from collections.abc import Iterator, Sequence
from functools import cache, partial
from typing import Protocol

from pgf_cli.core.bases import N_CODE
from pgf_cli.genome import PulseSite, decode
from pgf_cli.hits import (
    Hit,
    Peak,
    PeakFinder,
    TrackSketch,
    false_discovery_rates,
    half_life,
    nearest_pulse,
    reach,
)
from pgf_cli.runs.tracks import Track
from pgf_cli.runs.values import HeldReading, TrackValues
from pgf_cli.tracks.manifest import GhostEntry

HIT_CONTEXT = 10


class Scores(Protocol):
    """What is known of a track that has passed by."""

    sketch: TrackSketch
    magnitudes: TrackSketch
    peaks: PeakFinder


class HitCaller:
    """Calls the hits of one record's tracks, those of signed tracks by magnitude.

    Args:
        readings: of which its values are: one, or both of whose mean they are. Positions are those of the first.
        values: its tracks' values.
    """

    def __init__(self, readings: Sequence[HeldReading], values: TrackValues) -> None:
        self._readings, self._values = readings, values
        self._context, self._passes = readings[0].context, readings[0].passes
        context = self._context
        self._settings = context.plan.settings
        self._responses = {track.index: track.name for track in context.tracks if track.kind == "response"}
        self._pulses = {track.name: context.direction.pulses_of(track) for track in context.tracks if track.is_tangent}
        self._places = {name: [place for place, _ in pulses] for name, pulses in self._pulses.items()}
        # Many hits go back to one pulse.
        self._reach = cache(self._find_reach)

    def call(self, track: Track, scores: Scores, null: Sequence[float] | None) -> list[Hit]:
        """Return a track's hits, highest first; positions are those of the strand that is read."""
        peaks = scores.peaks.finish()
        rates = false_discovery_rates([peak.value for peak in peaks], null) if null is not None else [None] * len(peaks)
        return [
            self._hit(track, rank, peak, scores, rate)
            for rank, (peak, rate) in enumerate(zip(peaks, rates, strict=True), start=1)
        ]

    def ghost_entries(self, track: Track, hits: Sequence[Hit]) -> dict[str, GhostEntry]:
        """Return, for the hits of a ghost track, their share of the response and how far upstream they go back."""
        if track.kind != "ghost":
            return {}
        return {hit.name: self._ghost_entry(track, hit) for hit in hits}

    def _hit(self, track: Track, rank: int, peak: Peak, scores: Scores, rate: float | None) -> Hit:
        position, called = peak.position, self._context.named(track.name)
        value = self._values.read(track.name, position, position + 1)[0]
        pulse, lag, life, far = self._persistence(track, position)
        return Hit(
            chrom=self._context.record.name,
            start=position,
            end=position + 1,
            name=f"{called}_{rank}",
            track=called,
            # As in the track: the shortest decimal of the run's own number format.
            value=float(str(value)),
            percentile=scores.magnitudes.percentile(peak.value),
            robust_z=scores.sketch.robust_z(float(value)),
            fdr=rate,
            pulse=None if pulse is None else str(pulse),
            lag=lag,
            half_life=life,
            reach=far,
            flags=self._flags(position),
            context=self._surroundings(position),
            strand=self._context.strand,
        )

    def _persistence(self, track: Track, position: int) -> tuple[PulseSite | None, int | None, int | None, int | None]:
        """The pulse that a hit goes back to, its lag, its half-life and the pulse's reach.

        Of a model that reads in both directions, the nearest pulse on either side: the lag is negative left of it, and
        there is neither half-life nor reach, for the response has no beginning.
        """
        places = self._places.get(track.name, [])
        if self._context.plan.both_directions and places:
            nearest = min(range(len(places)), key=lambda index: abs(position - places[index]))
            return self._pulses[track.name][nearest][1], position - places[nearest], None, None
        index = nearest_pulse(position, places)
        if index is None:
            return None, None, None, None
        response = self._responses[track.index]
        following = places[index + 1] if index + 1 < len(places) else self._passes.end
        until = self._passes.written_until(position)
        life = half_life(partial(self._values.read, response), position, min(following, until or 0))
        far = self._reach(response, places[index], following)
        return self._pulses[track.name][index][1], position - places[index], life, far

    def _find_reach(self, response: str, pulse: int, following: int) -> int | None:
        until = self._passes.written_until(pulse)
        if until is None:
            return None
        return reach(partial(self._values.read, response), pulse, min(following, until))

    def _ghost_entry(self, track: Track, hit: Hit) -> GhostEntry:
        whole = self._values.read(self._responses[track.index], hit.start, hit.end)[0]
        upstream = self._nearest_counted(hit.start) if hit.lag is None else abs(hit.lag)
        return GhostEntry(share=float(hit.value / whole), upstream=upstream)

    def _nearest_counted(self, position: int) -> int:
        """How far the nearest base is that counts for a ghost: outside its own block and the blocks beside it."""
        W, found = self._settings.ghosts_from, list[int]()
        for offset, length in self._offsets(position):
            block = offset // W
            if not self._context.plan.both_directions or block > 1:
                found.append(offset - (block - 1) * W + 1)
            if self._context.plan.both_directions and (block + 2) * W < length:
                found.append((block + 2) * W - offset)
        # Where no base counts the ghost is 0.
        return min(found, default=W)

    def _offsets(self, position: int) -> Iterator[tuple[int, int]]:
        """Yield, for each reading, how many bases its pass reads before a position, and in all."""
        forward = self._context.record.forward(position)
        for reading in self._readings:
            place, passes = reading.context.record.oriented(forward), reading.passes
            one = passes.passes[passes.index_at(place)]
            yield place - one.start, one.end - one.start

    def _flags(self, position: int) -> tuple[str, ...]:
        """Why a hit may say more about where the sequence begins or is unknown than about what it is."""
        distance, flags = self._settings.hit_distance, []
        if min(offset for offset, _ in self._offsets(position)) < distance:
            flags.append("sequence_start")
        if (self._context.bases[max(0, position - distance) : position + distance + 1] == N_CODE).any():
            flags.append("beside_N")
        return tuple(flags)

    def _surroundings(self, position: int) -> str:
        """The bases around a hit on the strand that is read, the hit's own in brackets."""
        bases = self._context.bases
        before = decode(bases[max(0, position - HIT_CONTEXT) : position])
        after = decode(bases[position + 1 : position + 1 + HIT_CONTEXT])
        return f"{before}[{decode(bases[position : position + 1])}]{after}"
