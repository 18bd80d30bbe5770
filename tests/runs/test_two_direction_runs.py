"""Runs of models that read in both directions: windows, masked targets, features on disk, what is refused.

The independent source of a run's values is the sweep itself, tested by float64 autograd in tests/core, over the window
that a base belongs to and nothing else.
"""

import json

import numpy as np
import pytest
import torch
from toy_runs import Watch, written

import pgf_cli
from pgf_cli.checkpoints import save_checkpoint
from pgf_cli.core.models import BaseIds
from pgf_cli.core.models.caduceus import NO_MASK, CaduceusConfig, CaduceusLM
from pgf_cli.errors import UsageError

IDS = BaseIds(0, 1, 2, 3, 4)
RUN = {"formats": ("csv",), "dtype": "float64", "chroms": ("chr1",), "ghost_distance": 0}


def save_caduceus(path, mask_id=5):
    sizes = {"d_model": 6, "n_layer": 2, "d_inner": 8, "d_state": 3, "d_conv": 4, "dt_rank": 2, "vocab_size": 8}
    config = CaduceusConfig(**sizes, both_strands=True, swapped=True, mask_id=mask_id)
    torch.manual_seed(4)
    model = CaduceusLM(config, IDS, "logprobs").requires_grad_(False)
    model.complement.copy_(torch.tensor([3, 2, 1, 0, 4, 5, 6, 7]))
    for block in model.layers:
        block.mixer.mamba_fwd.dt_proj.bias.fill_(-3.0)
        block.mixer.mamba_rev.dt_proj.bias.fill_(-3.0)
    save_checkpoint(path, config, model.state_dict(), IDS)
    return path


@pytest.fixture
def both_run(toy, toy_run):
    model = save_caduceus(toy / "caduceus.safetensors")

    def both_run(output, progress=None, **settings):
        return toy_run(output, progress, **({"model": model} | RUN | settings))

    both_run.model = pgf_cli.load_model(model, dtype="float64")
    return both_run


def values(manifest, track):
    """A track of chr1 by position, NaN where nothing is written."""
    track_values = np.full(250, np.nan)
    for line in manifest.with_name("run.csv").read_text().splitlines()[1:]:
        chrom, start, _, _, *row = line.split(",")
        names = manifest.with_name("run.csv").read_text().splitlines()[0].split(",")[4:]
        if chrom == "chr1" and row[names.index(track)]:
            track_values[int(start)] = float(row[names.index(track)])
    return track_values


def record(toy):
    return (toy / "genome.fa").read_text().split("\n")[1]


def test_a_whole_record_is_one_window_and_equals_sensitivity(both_run, toy, tmp_path):
    manifest = both_run(tmp_path / "out" / "run")
    s = pgf_cli.sensitivity(both_run.model, record(toy), tile=16)
    for track in ("response", "contribution"):
        np.testing.assert_array_equal(values(manifest, track), getattr(s, track))
    assert s.ghost is None


@pytest.mark.parametrize(("window", "overlap"), [(100, None), (64, 10), (97, 0)])
def test_each_base_has_the_value_of_the_window_whose_middle_is_nearest(window, overlap, both_run, toy, tmp_path):
    manifest = both_run(tmp_path / "out" / "run", window=window, overlap=overlap)
    step = window - (window // 2 if overlap is None else overlap)
    starts = sorted({*range(0, 250 - window, step), 250 - window})
    expected = {track: np.full(250, np.nan) for track in ("response", "contribution")}
    alone = {
        start: pgf_cli.sensitivity(both_run.model, record(toy)[start : start + window], tile=16) for start in starts
    }
    for base in range(250):
        # Of two middles as near the right one.
        nearest = min(starts, key=lambda start: (abs(2 * start + window - 2 * base - 1), -start))
        for track, found in expected.items():
            found[base] = getattr(alone[nearest], track)[base - nearest]
    for track, found in expected.items():
        np.testing.assert_array_equal(values(manifest, track), found)
    seams = [base for base in range(1, 250) if abs(found[base] - found[base - 1]) > 0]
    assert len(seams) > 100


def test_a_region_has_the_values_of_the_whole_record(both_run, tmp_path):
    whole = both_run(tmp_path / "whole" / "run", targets=("chr1:1-250",))
    some = both_run(
        tmp_path / "some" / "run", chroms=(), regions=("chr1:31-60", "chr1:200-220"), targets=("chr1:1-250",)
    )
    for track in ("response", "contribution"):
        found, expected = values(some, track), values(whole, track)
        chosen = np.r_[30:60, 199:220]
        np.testing.assert_array_equal(found[chosen], expected[chosen])
        assert np.isnan(np.delete(found, chosen)).all()


def test_features_on_disk_change_no_byte(both_run, tmp_path):
    settings = {"ghost_distance": 60, "formats": ("csv", "bigwig", "npz")}
    in_memory = both_run(tmp_path / "memory" / "run", **settings)
    on_disk = both_run(tmp_path / "disk" / "run", feature_budget=0, **settings)
    assert written(in_memory) == written(on_disk)
    assert np.nanmax(values(on_disk, "ghost")) > 0


def test_ghosts_are_carried_where_they_are_asked_for(both_run, toy, tmp_path):
    manifest = both_run(tmp_path / "out" / "run", ghost_distance=50, mode="tangent")
    s = pgf_cli.sensitivity(both_run.model, record(toy), ghost_distance=50, mode="tangent", tile=16)
    np.testing.assert_array_equal(values(manifest, "ghost"), s.ghost)
    tracks = {track["name"]: track for track in json.loads(manifest.read_text())["tracks"]}
    assert "50 bases or more away, on either side" in tracks["ghost"]["quantity"]
    assert "on both sides" in tracks["response"]["quantity"]


def test_masked_targets_get_no_score_and_nobody_sees_them(both_run, toy, tmp_path):
    asked = {"mode": "adjoint", "targets": ("chr1:101-103", "chr1:150-150")}
    manifest = both_run(tmp_path / "out" / "run", mask_targets=True, **asked)
    found, targets = values(manifest, "contribution"), [(100, 103), (149, 150)]
    s = pgf_cli.sensitivity(both_run.model, record(toy), mode="adjoint", targets=targets, mask_targets=True, tile=16)
    np.testing.assert_array_equal(found, s.contribution)
    assert np.isnan(found[[100, 101, 102, 149]]).all()
    assert "read as [MASK]" in json.loads(manifest.read_text())["tracks"][0]["quantity"]
    seen = values(both_run(tmp_path / "seen" / "run", **asked), "contribution")
    assert np.isfinite(seen[100])
    assert np.nanmax(np.abs(seen - found)) > 0
    # By finite differences of the score in what the bases beside the target are.
    assert_is_slope(both_run.model, record(toy), targets, 104, found[104])


def assert_is_slope(model, sequence, targets, base, expected):
    """Compare the contribution at a base, as a mean of differences of the score, with central differences."""
    from pgf_cli.core.objectives import Targets
    from pgf_cli.core.one_hot import one_hot
    from pgf_cli.core.sweeps.device import HostLink
    from pgf_cli.core.sweeps.two_direction import Ends

    streaming = model.with_output("logprobs")
    codes = np.array(["ACGTN".index(letter) for letter in sequence.upper()], dtype=np.uint8)
    masked = Targets(targets)(0, len(codes))

    class Moved(Ends):
        def x(self, first, last):
            x = one_hot(codes, torch.float64, torch.device("cpu"))
            x[base] += self.move
            mask = torch.from_numpy(masked).to(x)[:, None]
            return (x * (1 - mask))[first:last], mask[first:last]

    def score(move):
        ends = Moved(streaming, codes, 0, Targets(targets), HostLink(torch.device("cpu")))
        ends.move = move
        r = ends.features(0, len(codes), lambda x: x.new_zeros(0, *x.shape))[:, 0]
        for layer in range(streaming.layers_count):
            carried = streaming.carry(layer, r)
            added = torch.zeros_like(carried)
            for stream, backwards, branch in streaming.passes(layer):
                read = carried[stream].flip(0) if backwards else carried[stream]
                out = branch.forward(read, branch.mixer.initial_state())[0]
                added[stream] += out.flip(0) if backwards else out
            r = carried + added
        y = streaming.head.forward(streaming.joined(streaming.final_norm(r)))
        return sum(float(y[t, codes[t]]) for t in np.flatnonzero(masked) if codes[t] < 4)

    slopes = []
    for column in range(4):
        move = torch.zeros(5, dtype=torch.float64)
        move[column] = 1e-4
        slopes.append((score(move) - score(-move)) / 2e-4)
    assert slopes[codes[base]] - np.mean(slopes) == pytest.approx(expected, rel=1e-5)


def test_a_pulse_is_felt_on_both_sides_and_its_ghost_is_far_from_it(both_run, tmp_path):
    settings = {"pulses": ("chr1:126",), "mode": "tangent", "ghost_distance": 20, "hits": 30}
    manifest = both_run(tmp_path / "out" / "run", **settings)
    response, ghost = values(manifest, "response"), values(manifest, "ghost")
    assert response[100] > 0
    assert response[150] > 0
    far = np.abs(np.arange(250) - 125) >= 20
    np.testing.assert_array_equal(ghost, np.where(far | np.isnan(response), response, 0))
    lags = [int(line.split("\t")[10]) for line in manifest.with_name("run.hits.tsv").read_text().splitlines()[1:]]
    assert min(lags) < 0 < max(lags)


def test_a_run_that_is_broken_off_goes_on_with_the_windows_that_are_left(both_run, tmp_path):
    settings = {"window": 60, "overlap": 20, "segment": 100, "chroms": ()}
    whole = both_run(tmp_path / "whole" / "run", **settings)
    with pytest.raises(KeyboardInterrupt):
        both_run(tmp_path / "out" / "run", Watch(after=1500), **settings)
    again = Watch()
    resumed = both_run(tmp_path / "out" / "run", again, resume=True, **settings)
    assert again.done > 0
    assert again.done + again.read == again.total
    assert written(resumed) == written(whole)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"trace": 2, "ghost_distance": 50},
            "--trace follows ghosts upstream, and this model reads in both directions",
        ),
        ({"targets": ("chr1:1-250",), "mask_targets": True}, "--mask-targets leaves nothing to be written"),
    ],
)
def test_what_such_a_model_has_not_is_one_line(settings, said, both_run, tmp_path):
    with pytest.raises(UsageError, match=said) as caught:
        both_run(tmp_path / "out" / "run", **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("option", [{"window": 100}, {"window": 100, "overlap": 3}])
def test_windows_of_a_causal_model_are_refused(option, toy_run, tmp_path):
    with pytest.raises(UsageError, match="--window is for models that read in both directions; this one is causal"):
        toy_run(tmp_path / "out" / "run", **option)


def test_masking_with_a_model_that_has_no_mask_or_is_causal_is_refused(both_run, toy, toy_run, tmp_path):
    model = save_caduceus(toy / "unmasked.safetensors", NO_MASK)
    options = {"mask_targets": True, "targets": ("chr1:5-9",)}
    with pytest.raises(UsageError, match=r"unmasked\.safetensors has no \[MASK\] token"):
        both_run(tmp_path / "out" / "run", model=model, **options)
    with pytest.raises(UsageError, match="--mask-targets is for models that read in both directions"):
        toy_run(tmp_path / "out" / "run", mode="adjoint", **options)
