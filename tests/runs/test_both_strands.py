"""Runs that read both strands: beside two runs of one strand each, to the byte; their mean; and who is called a hit."""

import re
from functools import partial
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from toy_runs import written

from pgf_cli.genome import Genome, decode
from pgf_cli.genome.shuffle import Shuffled
from pgf_cli.hits import false_discovery_rates
from pgf_cli.reports.terminal import print_report
from pgf_cli.runs import kinds
from pgf_cli.runs.reading import PulseError
from pgf_cli.settings import RunSettings, SettingsError
from pgf_cli.tracks.hit_files import read_hits_tsv
from pgf_cli.tracks.manifest import read_manifest
from pgf_cli.tracks.trace_table import read_trace_table

STRANDS = ("forward", "reverse")
RUNS = {
    "every format": {"formats": ("bedgraph", "bigwig", "csv"), "null": "shuffle", "chroms": ("chr2", "chr3")},
    "regions, context, targets": {
        "regions": ("chr1:101-150", "chr1:160-190", "chr3:20-90"),
        "context": 30,
        "targets": ("chr1:120-155", "chr3:30-60"),
        "adjoint_tracks": ("contribution", "norm", "max-snv"),
        "dtype": "float64",
    },
    "separate pulses": {"pulses": ("chr1:80", "chr1:151", "chr3:9:G"), "separate": True},
    "trace": {"trace": 3, "hits": 6, "chroms": ("chr3",), "segment": 64},
    "npz": {"formats": ("npz",), "mode": "adjoint", "regions": ("chr1:11-80", "chr1:150-219", "chr3:51-120")},
}


@pytest.fixture
def toy_run(toy_run):
    """The runs are too short for threads."""
    return partial(toy_run, threads=1)


def hits(manifest):
    return read_hits_tsv(manifest.with_name("run.hits.tsv"))


@pytest.mark.parametrize("name", RUNS)
def test_both_writes_the_bytes_of_a_run_of_each_strand(name, toy_run, tmp_path):
    both = toy_run(tmp_path / "both" / "run", strand="both", **RUNS[name])
    found, expected = written(both), {}
    for strand in STRANDS:
        single = toy_run(tmp_path / strand / "run", strand=strand, **RUNS[name])
        for file, content in written(single).items():
            kind, _, suffix = file.rpartition(".")
            track_file = suffix in ("bedgraph", "bw") or ".hypothetical." in file
            expected[f"{kind}.{strand}.{suffix}" if track_file else file] = content
        _compare_tables(both, single, strand)
    assert set(found) == set(expected)
    tables = ("run.hits.tsv", "run.hits.bed", "run.trace.tsv", "run.csv")
    for file, content in expected.items():
        if file not in tables:
            assert found[file] == content, file


def _compare_tables(both, single, strand):
    """What a run of one strand says of hits, sources, records and in columns, a run of both says of that strand."""
    sign = "+-"[STRANDS.index(strand)]
    mine = [hit for hit in hits(both) if hit.strand == sign]
    theirs = hits(single)
    assert len(mine) == len(theirs) > 3
    for one, other in zip(mine, theirs, strict=True):
        assert other.strand == "."
        assert (one.track, one.name) == (f"{other.track}.{strand}", f"{other.track}.{strand}_{_rank(other)}")
        same = [name for name in other.__slots__ if name not in ("track", "name", "strand")]
        assert [getattr(one, each) for each in same] == [getattr(other, each) for each in same]
    signs = {line.split("\t")[3]: line.split()[5] for line in both.with_name("run.hits.bed").read_text().splitlines()}
    assert all(signs[hit.name] == sign for hit in mine)
    if (traced := both.with_name("run.trace.tsv")).exists():
        rows = [row for row in read_trace_table(traced) if f".{strand}_" in row.hit]
        plain = read_trace_table(single.with_name("run.trace.tsv"))
        assert [row._replace(hit=row.hit.replace(f".{strand}", "")) for row in rows] == plain
        assert plain
    if (table := both.with_name("run.csv")).exists():
        columns = (
            pd.read_csv(table, dtype=str)
            .filter(like=f".{strand}")
            .rename(columns=lambda name: name[: -len(strand) - 1])
        )
        assert columns.equals(pd.read_csv(single.with_name("run.csv"), dtype=str)[columns.columns])
        assert len(columns.columns) == 3
    entries = {record.name: record for record in read_manifest(both).records}
    for record in read_manifest(single).records:
        entry = entries[record.name]
        assert {name: entry.tracks[f"{name}.{strand}"] for name in record.tracks} == record.tracks
        assert (entry.adjoint if strand == "forward" else entry.adjoint_reverse) == record.adjoint


def _rank(hit):
    return hit.name.rpartition("_")[2]


def values(manifest, track, dtype="float32"):
    """Places and values of a track that a run wrote."""
    text = manifest.with_name(f"run.{track}.bedgraph").read_text()
    rows = [line.split("\t") for line in text.splitlines()]
    return [tuple(row[:3]) for row in rows], np.array([row[3] for row in rows], dtype)


AVERAGES = {
    "whole records": {"adjoint_tracks": ("contribution", "norm", "max-snv"), "hits": 6, "hit_distance": 12},
    "regions": {"regions": ("chr1:101-150", "chr1:160-190", "chr3:20-90"), "context": 30, "segment": 20},
    "random directions": {"mode": "tangent", "direction": "random:3", "dtype": "float64"},
}


@pytest.mark.parametrize("name", AVERAGES)
def test_average_is_the_mean_of_both_readings_to_the_last_digit(name, toy_run, tmp_path):
    both, average = (
        toy_run(tmp_path / strand / "run", strand=strand, **AVERAGES[name]) for strand in ("both", "average")
    )
    number = AVERAGES[name].get("dtype", "float32")
    tracks = [track.name for track in read_manifest(average).tracks]
    assert tracks[:2] == ["response", "ghost"]
    for track in tracks:
        (places, one), (_, other) = (values(both, f"{track}.{strand}", number) for strand in STRANDS)
        found_places, found = values(average, track, number)
        assert found_places == places
        np.testing.assert_array_equal(found, ((one.astype("float64") + other) / 2).astype(number))
        assert not np.array_equal(one, other)


def test_hypothetical_scores_are_averaged_base_by_base(toy_run, tmp_path):
    options = RUNS["npz"] | {"formats": ("npz", "bedgraph")}
    both, average = (toy_run(tmp_path / strand / "run", strand=strand, **options) for strand in ("both", "average"))
    one, other = (np.load(both.with_name(f"run.hypothetical.{strand}.npz"))["arr_0"] for strand in STRANDS)
    mean = np.load(average.with_name("run.hypothetical.npz"))["arr_0"]
    np.testing.assert_array_equal(mean, ((one.astype(np.float64) + other) / 2).astype(np.float32))
    # The mean at the base that is there is the contribution: complements were put where they belong.
    one_hot = np.load(average.with_name("run.onehot.npz"))["arr_0"]
    there = (mean * one_hot).sum(1)[one_hot.any(1)]
    np.testing.assert_array_equal(there, values(average, "contribution")[1])


def test_hits_of_an_average_are_the_local_maxima_of_the_mean_flagged_at_either_end(toy_run, tmp_path):
    average = toy_run(tmp_path / "average" / "run", strand="average", **AVERAGES["whole records"])
    called = hits(average)
    assert {hit.strand for hit in called} == {"."}
    flagged = set()
    for contig, length in (("chr1", 250), ("chr2", 60), ("chr3", 130)):
        for track in ("response", "ghost", "contribution"):
            places, numbers = values(average, track)
            at = {
                int(start): abs(value)
                for (chrom, start, _), value in zip(places, numbers, strict=True)
                if chrom == contig
            }
            peaks = [
                start
                for start, value in at.items()
                if value > max([at.get(near, 0.0) for near in range(start - 12, start)])
                and value >= max(at.get(near, 0.0) for near in range(start + 1, start + 13))
            ]
            best = sorted(peaks, key=lambda start: (-at[start], start))[:6]
            here = [hit for hit in called if (hit.chrom, hit.track) == (contig, track)]
            assert [hit.start for hit in here] == best
            for hit in here:
                near_end = hit.start < 12 or hit.start >= length - 12
                assert ("sequence_start" in hit.flags) == near_end
                flagged |= {hit.start < 12} if near_end else set()
    assert flagged == {True, False}


def test_the_ghost_of_an_average_goes_back_as_far_as_the_nearer_of_its_readings(toy_run, tmp_path):
    average = toy_run(tmp_path / "run", strand="average", mode="tangent", chroms=("chr1",), hits=8)
    (record,) = read_manifest(average).records
    assert len(record.ghosts) > 2
    for hit in hits(average):
        if hit.track == "ghost":
            # Blocks of 40: the newest base that counts is the last one before the previous block.
            before = [offset - (offset // 40 - 1) * 40 + 1 for offset in (hit.start, 249 - hit.start)]
            assert record.ghosts[hit.name].upstream == min(before)
            response = dict(zip(*values(average, "response"), strict=True))["chr1", str(hit.start), str(hit.end)]
            assert record.ghosts[hit.name].share == pytest.approx(hit.value / response, rel=1e-5)


def test_the_null_of_an_average_is_the_average_on_one_shuffle(toy, toy_run, tmp_path):
    options = {"chroms": ("chr1",), "hits": 12, "dtype": "float64", "strand": "average", "mode": "tangent"}
    real = toy_run(tmp_path / "real" / "run", null="shuffle", seed=3, **options)
    with Genome.open(toy / "genome.fa") as genome:
        letters = decode(Shuffled(genome.record("chr1"), "chr1", 3)[0:250])
    (toy / "shuffled.fa").write_text(f">chr1\n{letters}\n")
    null = toy_run(tmp_path / "null" / "run", fasta=toy / "shuffled.fa", **options)
    for track in ("response", "ghost"):
        mine, theirs = ([hit for hit in hits(one) if hit.track == track] for one in (real, null))
        rates = false_discovery_rates([hit.value for hit in mine], [hit.value for hit in theirs])
        assert len(mine) > 3
        assert [hit.fdr for hit in mine] == pytest.approx(rates, abs=1e-9)


def test_the_gap_of_the_run_is_over_both_readings(toy_run, tmp_path, monkeypatch):
    both = read_manifest(toy_run(tmp_path / "both" / "run", strand="both", chroms=("chr2",), dtype="float64"))
    (record,) = both.records
    assert both.certificate.passed
    tangent, adjoint = (
        sum(getattr(each, total) for each in (record.adjoint, record.adjoint_reverse))
        for total in ("tangent_total", "adjoint_total")
    )
    assert both.gap == pytest.approx(abs(tangent - adjoint) / max(abs(tangent), abs(adjoint)), rel=1e-9, abs=1e-18)
    of_adjoint = kinds.SignedTotal.of_adjoint

    def wrong_on_the_reverse(self, piece):
        signed, magnitude = of_adjoint(self, piece)
        return signed * (1.001 if self.bases.reverse else 1), magnitude

    monkeypatch.setattr(kinds.SignedTotal, "of_adjoint", wrong_on_the_reverse)
    for strand, passed in (("forward", True), ("both", False), ("average", False)):
        folder = tmp_path / f"wrong-{strand}"
        run = read_manifest(toy_run(folder / "run", strand=strand, chroms=("chr2",), dtype="float64"))
        assert run.certificate.passed == passed


def test_the_manifest_says_of_every_track_which_strand_it_is_of(toy_run, tmp_path):
    options = {"mode": "tangent", "chroms": ("chr2",)}
    both, average, forward = (
        read_manifest(toy_run(tmp_path / strand / "run", strand=strand, **options))
        for strand in ("both", "average", "forward")
    )
    assert [(track.name, track.strand) for track in both.tracks] == [
        ("response.forward", "forward"),
        ("ghost.forward", "forward"),
        ("response.reverse", "reverse"),
        ("ghost.reverse", "reverse"),
    ]
    assert [(track.name, track.strand) for track in average.tracks] == [("response", "average"), ("ghost", "average")]
    assert "upstream is towards higher positions" in both.tracks[3].quantity
    assert "higher positions" not in both.tracks[1].quantity
    assert "the mean of the readings of both strands" in average.tracks[1].quantity
    assert (both.strand, average.strand) == ("both", "average")
    assert both.records[0].read == average.records[0].read == 2 * forward.records[0].read


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"pulses": ("chr1:80",)}, "--strand average is for whole directions: from a pulse"),
        ({"pulses_bed": "x.bed"}, "--strand average is for whole directions: from a pulse"),
        ({"trace": 2}, "--strand average has no ghosts to trace"),
    ],
)
def test_what_has_no_mean_is_refused_in_a_line(settings, line):
    with pytest.raises(SettingsError) as caught:
        RunSettings(fasta="x.fa", model="m", strand="average", **settings)
    assert line in caught.value.in_flags
    assert "use --strand both" in caught.value.in_flags
    assert "\n" not in str(caught.value)


def test_a_pulse_that_only_one_reading_can_reach_is_refused_with_that_strand(toy_run, tmp_path):
    with pytest.raises(PulseError, match=r"pulse chr1:80 .* in the reading of the reverse strand"):
        toy_run(tmp_path / "run", strand="both", pulses=("chr1:80",), regions=("chr1:101-150",))


def test_the_report_says_what_is_read_and_which_strand_a_hit_is_of(toy_run, tmp_path):
    said = {}
    for strand in ("forward", "reverse", "both", "average"):
        trace = 0 if strand == "average" else 1
        manifest = toy_run(
            tmp_path / strand / "run", strand=strand, chroms=("chr2",), ghost_distance=10, hits=3, trace=trace
        )
        console = Console(file=StringIO(), width=200)
        print_report(manifest, console)
        said[strand] = console.file.getvalue()
    assert "what is upstream lies at higher positions" in said["reverse"]
    assert "both are read, and each has its tracks: .forward, and .reverse" in said["both"]
    assert "each value is the mean of the two readings" in said["average"]
    assert "higher positions" not in said["forward"]
    assert "strand" not in said["forward"]
    objectives = [line.split(" of the ")[1][:14] for line in said["both"].splitlines() if "objective of the" in line]
    assert objectives == ["forward strand", "reverse strand"]
    for sign in "+-":
        assert re.search(rf"chr2:\d+ +\{sign} +[\d.e-]+ ", said["both"])
        assert re.search(rf"chr2:\d+ \(\{sign}\) from", said["both"])
    assert "response.forward: median" in said["both"]
    assert "response.reverse: median" in said["both"]
    assert "response: median" in said["average"]
