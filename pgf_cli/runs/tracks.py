"""Which tracks a run writes, along which directions, and how their values come from a sweep."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pgf_cli.core.choices import OutputLayer
from pgf_cli.core.directions import Contrast, Direction, Pulse, Pulses, RandomNormal
from pgf_cli.core.sweeps import TangentTile, response
from pgf_cli.genome import LETTERS, OrientedRecord, PulseSite
from pgf_cli.hits import lags
from pgf_cli.settings import RunSettings, Strand
from pgf_cli.tracks.manifest import TrackEntry

Kind = Literal["response", "ghost", "contribution", "norm", "max-snv"]
SIGNED: tuple[Kind, ...] = ("contribution", "max-snv")
TANGENT: tuple[Kind, ...] = ("response", "ghost")

UNITS: dict[OutputLayer, str] = {
    "logprobs": "nats per unit step along the direction",
    "logits": "logits per unit step along the direction",
    "hidden": "hidden units per unit step along the direction",
}


STRANDS: dict[Strand, str] = {
    "forward": "",
    "reverse": ", read along the reverse complement: upstream is towards higher positions",
    "average": ", the mean of the readings of both strands: what is upstream of either counts",
}


@dataclass(frozen=True)
class Track:
    """One track of a reading."""

    name: str
    """As in the file's name and the CSV's column, but for what tells the strands' sets of tracks apart."""
    kind: Kind
    contig: str | None = None
    """The only record that it is about; None: every record."""
    index: int | None = None
    """Which of the record's directions it follows; None: all of them together."""

    @property
    def signed(self) -> bool:
        """Whether values have a sign, so that hits are two-sided."""
        return self.kind in SIGNED

    @property
    def is_tangent(self) -> bool:
        """Whether the tangent sweep computes it."""
        return self.kind in TANGENT


def planned_tracks(settings: RunSettings, sites: Sequence[PulseSite]) -> tuple[Track, ...]:
    """Return the tracks of a run; with ``--separate`` those of every pulse."""
    adjoint = [Track(kind, kind) for kind in settings.adjoint_tracks] if settings.mode != "tangent" else []
    if settings.mode == "adjoint":
        return tuple(adjoint)
    kinds: list[Kind] = ["response", "ghost"] if settings.ghosts_from else ["response"]
    if not settings.separate:
        return (*(Track(kind, kind) for kind in kinds), *adjoint)
    of_contig: dict[str, int] = {}
    tracks = []
    for site in sites:
        index = of_contig.setdefault(site.contig, 0)
        of_contig[site.contig] += 1
        tracks += [Track(f"{kind}.{site.label}", kind, site.contig, index) for kind in kinds]
    return (*tracks, *adjoint)


@dataclass(frozen=True)
class RecordDirection:
    """The directions swept along one record, in the coordinates of the strand that is read."""

    direction: Direction
    pulses: tuple[tuple[int, PulseSite], ...]
    """Position read and site of every pulse, in the order that the user gave."""

    def pulses_of(self, track: Track) -> list[tuple[int, PulseSite]]:
        """The pulses that a track follows, sorted."""
        return sorted(self.pulses if track.index is None else [self.pulses[track.index]])

    def values(
        self, track: Track, tile: TangentTile, ghost_distance: int, *, both_directions: bool
    ) -> NDArray[np.floating[Any]]:
        """Return a track's values (T,) on a tile."""
        chosen = slice(None) if track.index is None else slice(track.index, track.index + 1)
        if track.kind == "ghost" and tile.ghost_dot is not None:
            return _array(tile.ghost_dot[chosen])
        values = _array(tile.y_dot[chosen])
        if track.kind == "response":
            return values
        # In a pulse run the ghost is the response at a lag of W or more from the nearest pulse, at or before it.
        positions = np.arange(tile.start, tile.start + len(values))
        pulses = [position for position, _ in self.pulses_of(track)]
        return np.where(lags(positions, pulses, both_sides=both_directions) >= ghost_distance, values, 0).astype(
            values.dtype
        )


def record_direction(settings: RunSettings, sites: Sequence[PulseSite], record: OrientedRecord) -> RecordDirection:
    """Return the directions to sweep along a record, given its pulses."""
    if sites:
        positions = [record.oriented(site.position) for site in sites]
        alts = [None if site.alt is None else LETTERS.index(record.oriented_letter(site.alt)) for site in sites]
        pulses = [Pulse(position, alt) for position, alt in zip(positions, alts, strict=True)]
        along = Pulses(pulses, separate=settings.separate)
        return RecordDirection(along, tuple(zip(positions, sites, strict=True)))
    count = settings.random_directions
    return RecordDirection(RandomNormal(count, settings.seed, record.name) if count else Contrast(), ())


def direction_text(settings: RunSettings, sites: Sequence[PulseSite]) -> str:
    """Return the direction in words."""
    if sites:
        shown = ", ".join(map(str, sites[:5])) + (f" and {len(sites) - 5} more" if len(sites) > 5 else "")
        return f"{'each of the pulses' if settings.separate else 'the pulses'} {shown}"
    if settings.random_directions:
        return (
            f"random ({settings.random_directions} standard normal, seed {settings.seed}; root mean square over them)"
        )
    return "contrast (more of this sequence, less of a uniform one)"


def track_entries(
    tracks: Sequence[Track],
    settings: RunSettings,
    sites: Sequence[PulseSite],
    output: OutputLayer,
    objective: str | None,
    *,
    both_directions: bool,
) -> list[tuple[Track, TrackEntry]]:
    """Say of every track that is written what its number is; ``objective`` in words.

    With ``--strand both`` each track of a reading is written twice: those of the forward strand, then the others.
    """
    both = settings.strand == "both"
    sets: Sequence[Strand] = settings.strands_read if both else (settings.strand,)
    return [
        (track, _on_strand(_track_entry(track, settings, sites, output, objective, both_directions), strand, suffix))
        for strand, suffix in zip(sets, settings.track_suffixes, strict=True)
        for track in tracks
    ]


def _on_strand(entry: TrackEntry, strand: Strand, suffix: str) -> TrackEntry:
    return replace(entry, name=entry.name + suffix, quantity=entry.quantity + STRANDS[strand], strand=strand)


def _track_entry(
    track: Track,
    settings: RunSettings,
    sites: Sequence[PulseSite],
    output: OutputLayer,
    objective: str | None,
    both_directions: bool,
) -> TrackEntry:
    if not track.is_tangent:
        return _adjoint_entry(track, settings, str(objective))
    along = direction_text(
        settings, [site for site in sites if track.index is None or track.name == f"{track.kind}.{site.label}"]
    )
    reacts = f"how strongly the model's {output} at each base react to the direction {along}"
    norm = "the 2-norm of the exact derivative"
    far = f"{settings.ghosts_from:,} bases or more"
    if track.kind == "response":
        where = "at all bases of its window, on both sides" if both_directions else "at all bases read up to it"
        quantity = f"{reacts} {where}: {norm}"
    elif sites:
        past = "on either side of" if both_directions else "past"
        quantity = f"the response at {far} {past} the nearest pulse, 0 elsewhere"
    else:
        back = f"is due to bases {far} away, on either side" if both_directions else f"goes back {far}"
        quantity = f"the part of the response that {back}: {norm}"
    return TrackEntry(track.name, track.kind, quantity, UNITS[output], "never negative")


def _adjoint_entry(track: Track, settings: RunSettings, objective: str) -> TrackEntry:
    gradient = f"exact gradient of {objective} with respect to the base"
    corrected = ", minus its mean over the four bases" if settings.gradient_correction else ""
    unit = "nats per base" if objective.startswith("the log-likelihood") else "output units per base"
    quantity, sign = {
        "contribution": (
            f"{gradient} that is there{corrected}",
            "signed: positive where more of this base raises the objective",
        ),
        "norm": (f"2-norm over the four bases of the {gradient}{corrected}", "never negative"),
        "max-snv": (
            f"strongest first-order effect of a substitution, {gradient} put there minus the one there",
            "signed: positive where the substitution raises the objective",
        ),
    }[track.kind]
    return TrackEntry(track.name, track.kind, quantity, unit, sign)


def _array(y_dot: Any) -> NDArray[np.floating[Any]]:
    values: NDArray[np.floating[Any]] = response(y_dot).cpu().numpy()
    return values
