"""Ghost hits, lag, half-life and reach of a linear model with one slow and one fast state, against closed forms."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from pgf_cli.core.models import StreamingModel
from pgf_cli.genome import Genome
from pgf_cli.runs import Provenance, RunSettings, SilentProgress, plan, plan_run, run
from pgf_cli.tracks.hit_files import read_hits_tsv

SLOW, FAST, SLOW_GAIN, FAST_GAIN = 0.999, 0.5, 0.1, 2.0
W, PULSE, LENGTH = 300, 700, 4_000


class SlowAndFast(StreamingModel):
    """y_t = 0.1 s_t + 2 f_t;  s_t = 0.999 s_(t-1) + x_t . w;  f_t = 0.5 f_(t-1) + x_t . w."""

    output = "hidden"

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor([1.0, 2.0, 4.0, 8.0, 0.0], dtype=torch.float64))

    def initial_state(self, first):
        return (torch.zeros(2, dtype=self.w.dtype),)

    def forward(self, x, state):
        decay = torch.tensor([SLOW, FAST], dtype=self.w.dtype)
        gain = torch.tensor([SLOW_GAIN, FAST_GAIN], dtype=self.w.dtype)
        rows, (h,) = [], state
        for u in x @ self.w:
            h = decay * h + u
            rows.append((gain * h).sum()[None])
        return torch.stack(rows), (h,)


@dataclass
class Sizes:
    states: int = 2


class ToyCheckpoint:
    path, inputs, layout, architecture, config = Path("toy"), (), "toy", "toy", Sizes()
    alphabet, alphabet_source, note, ignored, tensors_sha256 = {}, "toy", None, (), "0" * 64
    own_family, stored_as = None, ("float64",)

    def build(self, output, dtype, device):
        return SlowAndFast().to(dtype).requires_grad_(False)


@pytest.fixture(scope="module")
def hits(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("toy")
    fasta = tmp_path / "toy.fa"
    fasta.write_text(f">toy\n{'A' * LENGTH}\n")
    settings = RunSettings(
        fasta=fasta, model=Path("toy"), output=f"{tmp_path}/out", dtype="float64", ghost_distance=W,
        pulses=(f"toy:{PULSE + 1}",), tile=500, mode="tangent", probe_depth=0,
    )  # fmt: skip
    with Genome.open(fasta) as genome, pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "read_checkpoint", lambda *_: ToyCheckpoint())
        run(plan_run(settings, genome), Provenance([], {}), SilentProgress())
    return read_hits_tsv(tmp_path / "out.hits.tsv")


def closed_form(lag):
    # The pulse is at an A: v . w = 1 - (1 + 2 + 4 + 8) / 4.
    return abs(1 - 15 / 4) * (SLOW_GAIN * SLOW**lag + FAST_GAIN * FAST**lag)


def test_the_response_s_hit_is_the_pulse_itself(hits):
    (hit,) = [hit for hit in hits if hit.track == "response"]
    lags = np.arange(LENGTH - PULSE)
    assert (hit.start, hit.lag, hit.pulse) == (PULSE, 0, f"toy:{PULSE + 1}")
    assert hit.value == pytest.approx(closed_form(0), rel=1e-12)
    assert hit.half_life == np.flatnonzero(closed_form(lags) <= closed_form(0) / 2)[0]
    assert hit.reach == np.flatnonzero(closed_form(lags) >= 0.01 * closed_form(0))[-1]


def test_the_ghost_s_hit_is_where_the_lag_reaches_the_ghost_distance(hits):
    (hit,) = [hit for hit in hits if hit.track == "ghost"]
    lags = np.arange(W, LENGTH - PULSE)
    assert (hit.start, hit.lag) == (PULSE + W, W)
    assert hit.value == pytest.approx(closed_form(W), rel=1e-12)
    # By now only the slow state is left: half-life is ln 2 / -ln 0.999.
    assert hit.half_life == np.flatnonzero(closed_form(lags) <= closed_form(W) / 2)[0]
    assert hit.half_life == pytest.approx(np.log(2) / -np.log(SLOW), abs=1)
