"""Where a pulse's response goes: the paper's Figure 4, and the same question asked of a trained model on real sequence.

The paper's setting is an impulse in noise, at lengths that ought not to matter. Ours are single-base substitutions in a
stretch of chromosome that the model never saw: how soon each response has halved, and how far it reaches.

The independent source is torch.func's forward mode through the operators' definitions in float64: for the impulse from
4,096 steps before it, of which the state has forgotten all but e^-50 by then; for substitutions on the record's start.
"""

import copy
import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pgf_cli.bench.baselines.substitutions import Response, responses
from pgf_cli.bench.framework.contestants import relative_error
from pgf_cli.bench.framework.experiment import Effort, Experiment, Outcome, Setting
from pgf_cli.bench.studies.pulse.report import (
    BINS,
    NOISE,
    Profile,
    PulseRow,
    describe,
    draw,
    share_beyond,
    summarise,
    table,
)
from pgf_cli.bench.subjects.dense_operator import DenseOperator, Impulse, Noise, dense_operator, dense_sweep
from pgf_cli.bench.subjects.sample import sample_bases, sample_model, untrained_sample_model
from pgf_cli.core.bases import N_CODE, BaseCodes
from pgf_cli.core.directions import Pulse, Pulses
from pgf_cli.core.models import StreamingModel
from pgf_cli.core.one_hot import one_hot
from pgf_cli.genome import LETTERS
from pgf_cli.hits import half_life, reach

CLAIM = (
    "The response to an impulse is found in a sequence of any length: exactly zero before it, "
    "and after it that of the exact derivative."
)

CHANNELS, STATE, A_LOG, DEVIATION, PLACE, DENSE_TILE = 256, 16, -4.0, 0.01, 0.8, 128
CONTEXT, CHECKED = 2048, 256
"""Steps before and after an impulse that the reference reads."""
TILE = 256
"""Bases; the directions alive at a time are few, and their tile should stay in the cache."""
CHECKED_BASES, CHECKED_PULSES = 384, 4


class Workload(NamedTuple):
    """How much an effort measures."""

    lengths: tuple[int, ...]
    bases: int
    substitutions: int
    followed: int
    """Bases after each."""
    untrained: bool
    """Whether the same substitutions are asked of initial weights, too."""


EFFORTS: dict[Effort, Workload] = {
    "quick": Workload((10_000, 20_000), 8_000, 16, 2048, False),
    "published": Workload((10_000, 32_000, 64_000, 128_000), 400_000, 1000, 4096, False),
    "extended": Workload((10_000, 32_000, 64_000, 128_000, 10**6), 400_000, 1000, 16_384, True),
}


def run(setting: Setting) -> Outcome:
    """Measure."""
    effort = EFFORTS[setting.effort]
    rows: list[PulseRow] = []
    profiles: list[Profile] = []
    operator = dense_operator(CHANNELS, STATE, A_LOG, setting.seed)
    for length in effort.lengths:
        if rows and setting.seconds is not None and rows[-1].seconds * length / rows[-1].length > setting.seconds:
            break
        setting.progress.message(f"impulse in noise, {length:,} steps")
        row, profile = impulse(operator, length, setting.seed)
        rows.append(row)
        profiles.append(profile)
    models = {"trained Mamba": sample_model()}
    if effort.untrained:
        models["untrained Mamba"] = untrained_sample_model(setting.seed)
    codes = sample_bases()[: effort.bases]
    for name, model in models.items():
        setting.progress.message(f"{name}, {effort.substitutions:,} substitutions along {len(codes):,} bases")
        rows += substitutions(name, model, codes, effort, setting)
    summary = summarise(rows)
    finding, holds = describe(rows, summary)
    return Outcome(rows, finding, holds, summary, partial(draw, rows, profiles), table(rows))


def impulse(operator: DenseOperator, length: int, seed: int) -> tuple[PulseRow, Profile]:
    """Sweep noise with a unit impulse on all channels at 0.8 of its length."""
    channels, position = operator.config.d_model, int(PLACE * length)
    u, pulse = Noise(channels, DEVIATION, seed), Impulse(channels, position)
    began, norms, near = time.perf_counter(), [], []
    for tile in dense_sweep(operator, u, pulse, length, DENSE_TILE):
        norms.append(tile.y_dot.double().norm(dim=-1))
        if position - DENSE_TILE < tile.start < position + CHECKED:
            near.append(tile.y_dot)
    seconds = time.perf_counter() - began
    values = torch.cat(norms)
    exact = exact_impulse(operator, u, pulse, length)
    found = torch.cat(near)[position % DENSE_TILE :][: len(exact)]
    row = _row(NOISE, length, position, "", values[:position], values[position:])
    # The impulse's own step, which is mostly D u, would hide an error in what the state remembers of it.
    error = max(relative_error(found, exact), relative_error(found[1:], exact[1:]))
    row = row._replace(error=error, seconds=seconds)
    return row, Profile(f"L = {length:,}", _largest_in_bins(values))


def exact_impulse(operator: DenseOperator, u: Noise, pulse: Impulse, length: int) -> Tensor:
    """Return y_dot (T, D) from the impulse on, in float64, by forward mode through the definition."""
    exact = copy.deepcopy(operator).double()
    begin = max(0, pulse.position - CONTEXT)
    with torch.no_grad():
        h = exact.initial_state(u(0, exact.lookahead).double()[: 0 if begin else None])
        _, h = exact.forward(u(begin, pulse.position).double(), h)
        span = pulse.position, min(length, pulse.position + CHECKED)
        inputs, dots = (rows(*span).double() for rows in (u, pulse))
        _, y_dot = torch.func.jvp(lambda x: exact.forward(x, h)[0], (inputs,), (dots,))  # type: ignore[misc]
    result: Tensor = y_dot
    return result


def substitutions(
    name: str, model: StreamingModel, codes: BaseCodes, effort: Workload, setting: Setting
) -> list[PulseRow]:
    """Follow random substitutions along real sequence."""
    pulses = random_substitutions(codes[: len(codes) - effort.followed], effort.substitutions, setting.seed)
    began = time.perf_counter()
    found = list(responses(model, codes, pulses, effort.followed, TILE))
    seconds = (time.perf_counter() - began) / len(found)
    error = substitution_error(model, codes[:CHECKED_BASES], setting.seed)
    return [_substitution_row(name, len(codes), each)._replace(error=error, seconds=seconds) for each in found]


def random_substitutions(codes: BaseCodes, count: int, seed: int) -> list[Pulse]:
    """Return substitutions at distinct random bases that are not N, each by a random other base."""
    random = np.random.default_rng(seed)
    known = np.flatnonzero(codes != N_CODE)
    places = random.choice(known, min(count, len(known)), replace=False)
    shifts = random.integers(1, 4, len(places))
    return [Pulse(int(place), int((codes[place] + shift) % 4)) for place, shift in zip(places, shifts, strict=True)]


def substitution_error(model: StreamingModel, codes: BaseCodes, seed: int) -> float:
    """Return the relative error of a few responses against forward mode through the definition in float64."""
    pulses = sorted(random_substitutions(codes[: len(codes) // 2], CHECKED_PULSES, seed))
    followed = len(codes) // 2
    found = torch.stack([each.values for each in responses(model, codes, pulses, followed, TILE // 2)])
    exact = copy.deepcopy(model).double()
    x = one_hot(codes, exact.dtype, exact.device)
    v = Pulses(pulses, separate=True).tangents(0, x)
    with torch.no_grad():
        state, state_dot = StreamingModel.initial_jvp(exact, x[:0], v[:, :0])
        norms = StreamingModel.jvp(exact, x, v, state, state_dot).y_dot.norm(dim=-1)
    wanted = [row[pulse.position :][:followed] for row, pulse in zip(norms, pulses, strict=True)]
    return relative_error(found, torch.stack(wanted))


def _substitution_row(name: str, length: int, response: Response) -> PulseRow:
    pulse = response.pulse
    assert pulse.alt is not None
    before = torch.tensor([response.before], dtype=torch.float64)
    return _row(name, length, pulse.position, LETTERS[pulse.alt], before, response.values)


def _row(subject: str, length: int, position: int, alt: str, before: Tensor, after: Tensor) -> PulseRow:
    """What a response from its pulse on, (followed,), says."""
    values = after.numpy()
    highest = int(values[:17].argmax())

    def read(first: int, last: int) -> np.ndarray:
        return values[first:last]

    return PulseRow(
        subject,
        length,
        position,
        alt,
        float(values[highest]),
        half_life(read, highest, len(values)),
        reach(read, 0, len(values)),
        len(values),
        share_beyond(values, 100),
        float(values[1]),
        half_life(read, 1, len(values)),
        reach(read, 1, len(values)),
        float(values[-1]),
        float(before.max()) if len(before) else 0.0,
    )


def _largest_in_bins(values: Tensor) -> Sequence[float]:
    return [float(each.max()) for each in torch.tensor_split(values, BINS)]


EXPERIMENT = Experiment(claim=CLAIM, run=run)
