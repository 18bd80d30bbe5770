"""A run in segments, broken off and gone on with, writes the bytes of a run that was neither."""

import os
import signal

import pytest
from toy_runs import Watch, listing, said, save_frechet, save_toy_model, written

from pgf_cli.interrupts import Interrupted
from pgf_cli.runs import compute
from pgf_cli.runs.store import OtherRunError, UnfinishedRunError
from pgf_cli.tracks.staging import OutputExistsError

RUNS = {
    "both": {"formats": ("bedgraph", "csv", "bigwig")},
    "tangent": {"mode": "tangent", "direction": "random:2"},
    "adjoint": {"mode": "adjoint", "adjoint_tracks": ("contribution", "norm", "max-snv"), "snapshots_on_disk": True},
    "reverse strand": {"strand": "reverse", "dtype": "float64"},
    "regions with context": {
        "regions": ("chr1:101-150", "chr1:160-190", "chr1:235-250", "chr3:20-90"),
        "context": 30,
    },
    "reverse regions": {"regions": ("chr1:61-110", "chr1:180-250"), "strand": "reverse"},
    "both strands": {"strand": "both", "chroms": ("chr1",), "hits": 5, "trace": 1},
    "average of the strands": {"strand": "average", "chroms": ("chr3",), "null": "shuffle", "mode": "tangent"},
    "separate pulses": {"pulses": ("chr1:80", "chr1:151", "chr3:9:G"), "separate": True, "mode": "both"},
    "null shuffle": {"null": "shuffle", "hits": 5},
    "targets": {"targets": ("chr1:120-150", "chr3:100-110"), "regions": ("chr1:1-100", "chr3:1-50")},
    "trace": {"trace": 3, "hits": 6, "chroms": ("chr1", "chr3")},
    "npz": {"formats": ("npz",), "mode": "adjoint", "regions": ("chr1:11-80", "chr1:150-219", "chr3:51-120")},
}
READ_AT_ONCE = 500
"""More than the longest record forwards, and a segment: every attempt gets on."""


def in_pieces(toy_run, output, **settings):
    """Break a run off again and again until it is done; return its manifest and what each attempt began with."""
    begun, resume = [], False
    while True:
        watch = Watch(after=READ_AT_ONCE)
        try:
            manifest = toy_run(output, watch, resume=resume, **settings)
        except KeyboardInterrupt:
            manifest = None
        begun.append(watch.done)
        if manifest is not None:
            return manifest, begun
        assert listing(output.parent) == [f"{output.name}.parts"]
        assert len(begun) < 20
        resume = True


@pytest.mark.parametrize("name", RUNS)
def test_a_run_broken_off_again_and_again_writes_the_bytes_of_one_segment(name, toy_run, tmp_path):
    whole = toy_run(tmp_path / "whole" / "run", **RUNS[name])
    cut, begun = in_pieces(toy_run, tmp_path / "cut" / "run", segment=64, **RUNS[name])
    assert begun[0] == 0
    assert begun == sorted(set(begun))
    assert written(cut) == written(whole)


@pytest.mark.parametrize("segment", [17, 200])
def test_neither_the_segment_s_length_nor_where_it_broke_off_is_seen(segment, toy_run, tmp_path, monkeypatch):
    whole = toy_run(tmp_path / "whole" / "run")
    uncut = toy_run(tmp_path / "uncut" / "run", segment=segment)
    # Saved after every tile, so that it goes on from the middle of segments.
    monkeypatch.setattr(compute, "SAVE_SECONDS", -1.0)
    cut, begun = in_pieces(toy_run, tmp_path / "cut" / "run", segment=segment)
    assert len(begun) > 2
    assert written(cut) == written(uncut) == written(whole)
    assert said(cut) == said(uncut)


@pytest.mark.parametrize("family", ["mamba", "frechet"])
def test_parts_of_a_single_tile_of_a_single_base(family, toy, toy_run, tmp_path):
    options = {"regions": ("chr2:5-21",), "tile": 1, "ghost_distance": 7, "trace": 1}
    if family == "frechet":
        # Its initial state reads ahead, and has still to add to the adjoint of the first bases.
        options["model"] = save_frechet(toy / "frechet.safetensors")
    whole = toy_run(tmp_path / "whole" / "run", **options)
    cut = toy_run(tmp_path / "cut" / "run", segment=1, **options)
    assert written(cut) == written(whole)


def test_a_run_of_one_segment_keeps_nothing(toy_run, tmp_path):
    output = tmp_path / "out" / "run"
    with pytest.raises(KeyboardInterrupt) as caught:
        toy_run(output, Watch(after=300), mode="tangent")
    assert getattr(caught.value, "advice", None) is None
    assert listing(output.parent) == []


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("after", [130, 249], ids=["in the middle", "at a record's end"])
def test_a_signal_finishes_the_tile_saves_it_and_says_how_to_go_on(after, toy_run, tmp_path):
    output, options = tmp_path / "out" / "run", {"mode": "tangent", "segment": 100}
    whole = toy_run(tmp_path / "whole" / "run", **options)
    stop = Watch(after=after, do=lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted) as caught:
        toy_run(output, stop, **options)
    assert caught.value.exit_code == 143
    assert f"{output}.parts" in caught.value.advice
    assert "--resume" in caught.value.advice
    assert after < stop.read <= after + 16
    again = Watch()
    resumed = toy_run(output, again, resume=True, **options)
    # Nothing is read twice: the segment was under way.
    assert again.done == stop.read
    assert again.done + again.read == again.total == 440
    assert written(resumed) == written(whole)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("left", [1, 17, 120])
def test_an_adjoint_that_was_stopped_a_few_bases_before_a_record_s_beginning_goes_on(left, toy_run, tmp_path):
    output, options = tmp_path / "out" / "run", {"mode": "adjoint", "chroms": ("chr1",), "segment": 90}
    whole = Watch()
    expected = toy_run(tmp_path / "whole" / "run", whole, **options)
    stop = Watch(after=whole.read - left, do=lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted):
        toy_run(output, stop, **options)
    again = Watch()
    assert written(toy_run(output, again, resume=True, **options)) == written(expected)
    assert again.done >= 2 * (250 - left - 16)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("segment", [64, 1000], ids=["several segments", "one segment"])
def test_a_signal_while_files_are_put_in_place_comes_too_late_and_the_line_says_so(
    segment, toy_run, tmp_path, monkeypatch
):
    whole = toy_run(tmp_path / "whole" / "run", segment=segment)
    link, sent = os.link, []

    def signalling(source, to):
        link(source, to)
        if not sent:
            sent.append(to)
            os.kill(os.getpid(), signal.SIGHUP)

    monkeypatch.setattr(os, "link", signalling)
    manifest = tmp_path / "out" / "run.run.json"
    with pytest.raises(Interrupted) as caught:
        toy_run(tmp_path / "out" / "run", segment=segment)
    assert sent
    assert caught.value.advice == f"the run is complete: {manifest} and all that it lists are in place"
    assert written(manifest) == written(whole)


@pytest.fixture
def broken_off(toy_run, tmp_path):
    """The prefix of a run that was broken off in the middle."""
    output = tmp_path / "out" / "run"
    with pytest.raises(KeyboardInterrupt) as caught:
        toy_run(output, Watch(after=READ_AT_ONCE), segment=64)
    assert f"{output}.parts" in caught.value.advice
    assert "--resume" in caught.value.advice
    return output


def test_an_unfinished_run_is_neither_used_nor_lost_unasked(broken_off, toy_run, tmp_path):
    with pytest.raises(UnfinishedRunError, match=r"--resume, .*--force"):
        toy_run(broken_off, segment=64)
    watch = Watch()
    resumed = toy_run(broken_off, watch, segment=64, resume=True)
    assert watch.done > 0
    assert any("going on" in line for line in watch.messages)
    assert written(resumed) == written(toy_run(tmp_path / "whole" / "run"))


OTHERS = [
    ({"tile": 8}, "--tile was 16, is 8"),
    ({"segment": 65}, "--segment was 64, is 65"),
    ({"dtype": "float64"}, "--dtype was float32, is float64"),
    ({"strand": "reverse"}, "--strand was forward, is reverse"),
    ({"strand": "average"}, "--strand was forward, is average"),
    ({"mode": "tangent"}, "--mode was both, is tangent"),
    ({"ghost_distance": 41}, "--ghost-distance was 40, is 41"),
    ({"direction": "random"}, "the direction was contrast"),
    ({"pulses": ("chr1:80",), "chroms": ("chr1",)}, "the pulses was"),
    ({"objective": "sum"}, "the objective was the log-likelihood"),
    ({"targets": ("chr1:1-9",), "chroms": ("chr1",)}, "the targets was"),
    ({"adjoint_tracks": ("norm",)}, "--track was contribution, is norm"),
    ({"gradient_correction": False}, "the gradient correction was True, is False"),
    ({"null": "shuffle"}, "--null was None, is shuffle"),
    ({"regions": ("chr1:5-99",)}, "the regions was"),
    ({"alphabet": "A=1,C=2,G=0,T=3,N=5"}, "the alphabet was A=3,C=1,G=2,T=0,N=5, is A=1,C=2,G=0,T=3,N=5"),
    ({"output_layer": "logits", "objective": "sum"}, "the output layer was logprobs, is logits"),
]


def test_going_on_with_another_setting_is_refused_and_the_difference_named(broken_off, toy_run):
    parts = broken_off.with_name("run.parts")
    kept = {path.name: path.read_bytes() for path in parts.iterdir()}
    for change, difference in OTHERS:
        with pytest.raises(OtherRunError) as caught:
            toy_run(broken_off, **({"segment": 64, "resume": True} | change))
        assert difference in str(caught.value)
        assert ("--tile was" in str(caught.value)) == ("tile" in change)
    assert {path.name: path.read_bytes() for path in parts.iterdir()} == kept


def test_going_on_with_another_model_is_refused(broken_off, toy, toy_run):
    save_toy_model(toy / "model.safetensors", seed=1)
    with pytest.raises(OtherRunError, match=r"differs from this one: the model's tensors was [0-9a-f]{16}, is"):
        toy_run(broken_off, segment=64, resume=True)


def test_going_on_with_another_sequence_is_refused_and_with_the_same_in_another_file_is_not(
    broken_off, toy, toy_run, tmp_path
):
    text = (toy / "genome.fa").read_text()
    (toy / "genome.fa").write_text(text[:-20] + ("A" if text[-20] != "A" else "C") + text[-19:])
    with pytest.raises(OtherRunError, match=r"differs from this one: the bases read was [0-9a-f]{16}, is"):
        toy_run(broken_off, segment=64, resume=True)
    (toy / "same.fa").write_text(text)
    watch = Watch()
    toy_run(broken_off, watch, fasta=toy / "same.fa", segment=64, resume=True)
    assert watch.done > 0


def test_what_is_made_of_the_values_may_change(broken_off, toy_run, tmp_path):
    other = {"formats": ("csv", "bigwig"), "hits": 3, "hit_distance": 25, "threads": 1, "bgzip": True, "trace": 1}
    watch = Watch()
    resumed = toy_run(broken_off, watch, segment=64, resume=True, **other)
    assert watch.done > 0
    assert written(resumed) == written(toy_run(tmp_path / "whole" / "run", **other))


def test_force_starts_anew(broken_off, toy_run, tmp_path):
    watch = Watch()
    forced = toy_run(broken_off, watch, segment=64, tile=8, force=True)
    assert watch.done == 0
    assert written(forced) == written(toy_run(tmp_path / "whole" / "run", tile=8))


def test_a_part_that_was_damaged_meanwhile_is_computed_again(broken_off, toy_run, tmp_path):
    states = sorted(broken_off.with_name("run.parts").glob("*.state"))
    assert len(states) > 3
    states[1].write_bytes(states[1].read_bytes()[:-1])
    states[-1].unlink()
    resumed = toy_run(broken_off, segment=64, resume=True)
    assert written(resumed) == written(toy_run(tmp_path / "whole" / "run"))


def test_resume_without_anything_there_is_a_run(toy_run, tmp_path):
    run = toy_run(tmp_path / "out" / "run", mode="tangent", resume=True)
    assert written(run) == written(toy_run(tmp_path / "whole" / "run", mode="tangent"))


def test_resume_of_a_complete_run_says_so_and_does_nothing(toy_run, tmp_path):
    manifest = toy_run(tmp_path / "out" / "run", mode="tangent")
    times = {path: path.stat().st_mtime_ns for path in manifest.parent.iterdir()}
    watch = Watch()
    assert toy_run(tmp_path / "out" / "run", watch, mode="tangent", resume=True, threads=1) == manifest
    assert watch.messages == [f"{manifest} is complete: nothing is left to do"]
    assert watch.total is None
    assert {path: path.stat().st_mtime_ns for path in manifest.parent.iterdir()} == times


@pytest.mark.parametrize(
    "change",
    [{"tile": 8}, {"hits": 3}, {"formats": ("csv",)}, {"model": "other"}, {}],
    ids="-".join,
)
def test_resume_of_a_complete_run_of_something_else_or_without_a_file_is_refused(change, toy, toy_run, tmp_path):
    manifest = toy_run(tmp_path / "out" / "run", mode="tangent")
    if "model" in change:
        save_toy_model(toy / "model.safetensors", seed=1)
        change = {}
    elif not change:
        (tmp_path / "out" / "run.response.bedgraph").unlink()
    before = manifest.read_bytes(), written(manifest)
    with pytest.raises(OutputExistsError, match="--force"):
        toy_run(tmp_path / "out" / "run", resume=True, mode="tangent", **change)
    assert (manifest.read_bytes(), written(manifest)) == before
