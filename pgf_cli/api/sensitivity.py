"""Sensitivities of one sequence, in memory."""

import os
from collections.abc import Iterable
from collections.abc import Sequence as Many
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pgf_cli.api.arguments import speaking_of_arguments
from pgf_cli.api.models import Model, load_model
from pgf_cli.api.sequences import NamedCodes, Sequence, named_codes
from pgf_cli.core.bases import LETTERS, N_CODE, BaseCodes
from pgf_cli.core.certificate import Certificate, certify, take_deep_probe, take_probe
from pgf_cli.core.choices import ReadStrand
from pgf_cli.core.directions import Contrast, Direction, Pulse, Pulses, RandomNormal
from pgf_cli.core.models import SequenceModel, TwoDirectionModel
from pgf_cli.core.objectives import Targets
from pgf_cli.core.sweeps import TangentTile, response
from pgf_cli.core.threads import sweeping_on
from pgf_cli.core.tiles import default_tile
from pgf_cli.errors import UsageError
from pgf_cli.genome import mirror
from pgf_cli.hits import lags
from pgf_cli.settings import NO_AVERAGE_OF_PULSES, STRANDS_READ, Mode, Strand
from pgf_cli.sweeps import CodesRecord, Gradient, gradients, responses
from pgf_cli.sweeps.attribution import contribution, gradient_rows
from pgf_cli.sweeps.objective import check_mask, choose_objective, output_layer_for
from pgf_cli.sweeps.responses import check_ghost_distance, ghost_distance_of, tangents_carried

Values = NDArray[np.floating[Any]]
COMPLEMENT = slice(3, None, -1)
"""Columns A, C, G, T as the other strand reads them."""


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """What `sensitivity` returns: numpy arrays over the sequence's L bases, in its own order whatever the strand.

    What the mode does not compute is None.

    Attributes:
        name: the record's name; ``sequence`` for letters and codes.
        start: 0-based position of the first base in the record.
        codes: (L,), the base codes A = 0, C = 1, G = 2, T = 3, N = 4.
        contribution: (L,), the gradient of the objective at the base that is there, minus its mean over the four bases
            (labels are fixed); NaN at N.
        response: (L,), the 2-norm of the output's derivative along the direction; NaN at N.
        ghost: (L,), the part of the response that goes back ``ghost_distance`` bases or more; NaN at N.
        gradient: (L, 4), order A, C, G, T: hypothetical scores, what each base would contribute there; 0 at N.
        logprobs: (L, 4), the model's output after reading each base, in nats, order A, C, G, T: row t predicts base
            t + 1 of the strand that is read. None unless the output is log-probabilities, and for ``average``, whose
            readings predict different bases there.
        objective: the objective's value; for ``average`` the mean of both readings'.
        reverse: for ``both``, the same of the reverse reading; all else here is of the forward one.
    """

    name: str
    start: int
    codes: BaseCodes
    contribution: Values | None
    response: Values | None
    ghost: Values | None
    gradient: Values | None
    logprobs: Values | None
    objective: float | None
    _model: SequenceModel
    reverse: "Sensitivity | None" = None

    @cached_property
    def certificate(self) -> Certificate:
        """The certificate of exactness of this model on this sequence; made when it is asked for, in some seconds.

        Its probes are the first 256 bases that are not N, and 256 deep inside, after up to 65,536 others.
        """
        with sweeping_on(None):
            return certify(self._model, take_probe([self.codes]), deep=take_deep_probe(self.codes, 0, len(self.codes)))

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row a base, as in PREFIX.csv: chrom, start, end (0-based half-open), base, and each track.

        With both strands: first response.forward and its like, then response.reverse and its like.
        """
        starts = np.arange(self.start, self.start + len(self.codes))
        columns: dict[str, Any] = {
            "chrom": self.name,
            "start": starts,
            "end": starts + 1,
            "base": np.array(list(LETTERS))[self.codes],
        }
        if self.reverse is None:
            return pd.DataFrame(columns | self._tracks(""))
        return pd.DataFrame(columns | self._tracks(".forward") | self.reverse._tracks(".reverse"))

    def _tracks(self, suffix: str) -> dict[str, Values]:
        tracks = {"response": self.response, "ghost": self.ghost, "contribution": self.contribution}
        return {name + suffix: values for name, values in tracks.items() if values is not None}


def sensitivity(
    model: Model | str | os.PathLike[str],
    sequence: Sequence,
    *,
    mode: Mode = "both",
    objective: str | None = None,
    targets: Many[tuple[int, int]] | None = None,
    direction: str = "contrast",
    pulses: Many[int | tuple[int, str]] = (),
    ghost_distance: int | None = None,
    mask_targets: bool = False,
    gradient_correction: bool = True,
    strand: Strand = "forward",
    seed: int = 0,
    tile: int | None = None,
    threads: int | None = None,
) -> Sensitivity:
    """Return exact sensitivities of one sequence, the numbers that ``run`` writes for it, in memory.

    The sequence is read as a whole of its own: a slice of a record without what stands before it. Positions are 0-based
    and count from its first base.

    Args:
        model: from `load_model`, or the checkpoint's path.
        sequence: letters, base codes (L,), ``genome["chr1"]`` or ``genome["chr1"][a:b]``; IUPAC codes read as N.
        mode: ``tangent`` (response, ghost), ``adjoint`` (contribution, gradient) or ``both``.
        objective: ``loglik`` (default with a head), ``sum`` (default without), ``logit:J``, or ``class:J``, a score of
            a classification or regression head.
        targets: half-open intervals (first, end) that the objective is taken over; None: everything.
        direction: ``contrast`` or ``random:K`` for response and ghost.
        pulses: the direction at these bases alone: positions, or (position, "ALT") towards another base.
        ghost_distance: W, bases; 0: no ghosts; None: 1,000, but 0 for a model that reads in both directions, where each
            W bases cost a tangent. With pulses: lag from the nearest at or before, or on either side for such a model.
        mask_targets: of a masked model: the targets' bases are read as [MASK] and have no score of their own.
        gradient_correction: subtract the gradient's mean over the four bases.
        strand: ``forward``; ``reverse``: the reverse complement is read, so that what is upstream lies at higher
            positions; ``both``: the forward reading, with the other one in its ``reverse``; ``average``: the mean of
            both readings at each base (of signed values, of norms, of hypothetical scores; not with pulses).
        seed: of random directions.
        tile: bases per tile; None: as many as the processor's cache suggests. Results differ by rounding only.
        threads: None: all there are. Results do not depend on it.

    Raises:
        PgfError: what the caller has to mend, in terms of these arguments.

    Example:
        >>> import pgf_cli
        >>> model = pgf_cli.load_model(pgf_cli.sample_data() / "mamba_arabidopsis.safetensors", dtype="float64")
        >>> s = pgf_cli.sensitivity(model, "ACGTTGCANACGT", ghost_distance=0)
        >>> s.contribution.shape, s.gradient.shape, bool(np.isnan(s.response[8]))
        ((13,), (13, 4), True)
    """
    with speaking_of_arguments():
        _check_choice("mode", mode, get_args(Mode))
        _check_choice("strand", strand, get_args(Strand))
        if strand == "average" and pulses:
            raise UsageError(NO_AVERAGE_OF_PULSES)
        loaded = model if isinstance(model, Model) else load_model(model)
        named = named_codes(sequence)

        reading = partial(
            _reading,
            loaded,
            named,
            mode=mode,
            objective=objective,
            targets=targets,
            direction=direction,
            pulses=pulses,
            ghost_distance=ghost_distance,
            mask_targets=mask_targets,
            gradient_correction=gradient_correction,
            seed=seed,
            tile=tile,
            threads=threads,
        )
        first, *others = [reading(strand=each) for each in STRANDS_READ[strand]]
        if not others:
            return first
        return replace(first, reverse=others[0]) if strand == "both" else _mean(first, others[0])


def _reading(
    loaded: Model,
    named: NamedCodes,
    *,
    mode: Mode,
    objective: str | None,
    targets: Many[tuple[int, int]] | None,
    direction: str,
    pulses: Many[int | tuple[int, str]],
    ghost_distance: int | None,
    mask_targets: bool,
    gradient_correction: bool,
    strand: ReadStrand,
    seed: int,
    tile: int | None,
    threads: int | None,
) -> Sensitivity:
    """The sensitivities of one reading."""
    reverse, length = strand == "reverse", len(named.codes)
    codes = _reverse_complement(named.codes) if reverse else named.codes
    output = output_layer_for(None if mode == "tangent" else objective, None) or loaded.output_layer
    streaming = loaded.with_output(output)
    if mask_targets:
        check_mask(streaming, asked=targets is not None, where=loaded.checkpoint.path)
    both = isinstance(streaming, TwoDirectionModel)
    ghost_distance = ghost_distance_of(streaming, ghost_distance)
    check_ghost_distance(ghost_distance, streaming)
    along, places = _direction(direction, pulses, named.name, codes, seed, reverse=reverse)
    tile = tile or default_tile(streaming, tangents_carried(along.count, ghost_distance))
    record = CodesRecord(codes, named.name)
    found: dict[str, Values] = {}
    value = None
    intervals = [(0, length)] if targets is None else [_inside(each, length) for each in targets]
    if reverse:
        intervals = [mirror(*interval, length) for interval in intervals]
    masked = Targets(intervals) if mask_targets else None
    with sweeping_on(threads):
        if mode != "adjoint":
            ghosts = ghost_distance if ghost_distance and not places else None
            tiles = responses(
                streaming, record, along, start=0, end=length, tile=tile, ghost_distance=ghosts, masked=masked
            )
            found |= _along(tiles)
        if mode != "tangent":
            chosen = choose_objective(objective, streaming, loaded.checkpoint.alphabet)
            weighed = chosen.over(Targets(intervals), streaming, 0, length)
            pieces = list(gradients(streaming, record, weighed, start=0, end=length, tile=tile, masked=masked))[::-1]
            value = sum(piece.value for piece in reversed(pieces))
            found |= _of(pieces, correct=gradient_correction)
    if places and ghost_distance and "response" in found:
        near = lags(np.arange(length), places, both_sides=both) < ghost_distance
        found["ghost"] = np.where(near, 0, found["response"]).astype(found["response"].dtype)
    if output != "logprobs":
        del found["y"]
    turned = {name: _forward(values) if reverse else values for name, values in found.items()}
    unscored = named.codes == N_CODE
    if masked is not None:
        hidden = masked(0, length)
        unscored |= hidden[::-1] if reverse else hidden
    for name in ("contribution", "response", "ghost"):
        if name in turned:
            turned[name] = np.where(unscored, np.array(np.nan, turned[name].dtype), turned[name])
    return Sensitivity(
        name=named.name,
        start=named.start,
        codes=named.codes,
        contribution=turned.get("contribution"),
        response=turned.get("response"),
        ghost=turned.get("ghost"),
        gradient=turned.get("gradient"),
        logprobs=turned.get("y"),
        objective=value,
        _model=streaming,
    )


def _mean(forward: Sensitivity, reverse: Sensitivity) -> Sensitivity:
    """The mean of both readings at each base."""

    def mean(one: Values | None, other: Values | None) -> Values | None:
        # In float64, so that the mean of two float32 is rounded once.
        if one is None or other is None:
            return None
        middle: Values = ((one.astype(np.float64) + other) / 2).astype(one.dtype)
        return middle

    objective = None
    if forward.objective is not None and reverse.objective is not None:
        objective = (forward.objective + reverse.objective) / 2
    return replace(
        forward,
        contribution=mean(forward.contribution, reverse.contribution),
        response=mean(forward.response, reverse.response),
        ghost=mean(forward.ghost, reverse.ghost),
        gradient=mean(forward.gradient, reverse.gradient),
        logprobs=None,
        objective=objective,
    )


def _along(tiles: Iterable[TangentTile]) -> dict[str, Values]:
    """Output, response and ghost of a sweep, by name."""
    parts: dict[str, list[Values]] = {}
    for tile in tiles:
        parts.setdefault("y", []).append(tile.y.numpy())
        parts.setdefault("response", []).append(response(tile.y_dot).numpy())
        if tile.ghost_dot is not None:
            parts.setdefault("ghost", []).append(response(tile.ghost_dot).numpy())
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def _of(pieces: Many[Gradient], *, correct: bool) -> dict[str, Values]:
    """Output, gradient and contribution of a sweep's pieces from left to right, by name."""
    rows = [gradient_rows(piece.x_bar, correct=correct) for piece in pieces]
    return {
        "y": np.concatenate([piece.y.numpy() for piece in pieces]),
        "gradient": np.concatenate(rows),
        "contribution": np.concatenate(
            [contribution(gradient, piece.bases) for gradient, piece in zip(rows, pieces, strict=True)]
        ),
    }


def _forward(values: Values) -> Values:
    """Turn what was read on the other strand back to the sequence's own order, and its bases to their complements."""
    return values[::-1].copy() if values.ndim == 1 else values[::-1, COMPLEMENT].copy()


def _direction(
    direction: str,
    pulses: Many[int | tuple[int, str]],
    name: str,
    codes: BaseCodes,
    seed: int,
    *,
    reverse: bool,
) -> tuple[Direction, list[int]]:
    """The direction along the strand that is read, and where its pulses are."""
    kind, _, count = direction.partition(":")
    if kind not in ("contrast", "random") or (count and not (count.isdecimal() and int(count) > 0)):
        raise UsageError(f"direction={direction!r} cannot be read; use 'contrast', 'random' or 'random:K' (K from 1)")
    if not pulses:
        return (RandomNormal(int(count or 1), seed, name), []) if kind == "random" else (Contrast(), [])
    if kind == "random":
        raise UsageError("direction='random' and pulses exclude each other; leave out one of them")
    made = []
    for pulse in pulses:
        position, alt = (pulse, None) if isinstance(pulse, int) else pulse
        if not 0 <= position < len(codes):
            raise UsageError(f"pulses: {position} lies outside the {len(codes):,} bases of the sequence")
        at = len(codes) - 1 - position if reverse else position
        letter = None if alt is None else LETTERS[:4].find(alt.upper())
        if letter == -1 or codes[at] == N_CODE:
            raise UsageError(f"pulses: {pulse} cannot be followed: the base there is N, or ALT is none of A, C, G, T")
        made.append(Pulse(at, 3 - letter if reverse and letter is not None else letter))
    return Pulses(made), sorted(pulse.position for pulse in made)


def _inside(interval: tuple[int, int], length: int) -> tuple[int, int]:
    first, end = interval
    if not 0 <= first < end <= length:
        raise UsageError(f"targets: ({first}, {end}) is no interval of the {length:,} bases, 0-based half-open")
    return first, end


def _reverse_complement(codes: BaseCodes) -> BaseCodes:
    turned: BaseCodes = np.where(codes == N_CODE, N_CODE, 3 - codes).astype(np.uint8)[::-1].copy()
    return turned


def _check_choice(argument: str, value: str, choices: Many[str]) -> None:
    if value not in choices:
        raise UsageError(f"{argument}={value!r} is none of {', '.join(map(repr, choices))}")
