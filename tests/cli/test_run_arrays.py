"""`--format npz` as motif tools load it, and `--trace` against linearity."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def windows(tmp_path):
    bed = tmp_path / "windows.bed"
    bed.write_text("chr2\t100\t160\tfirst\nchr1\t310\t370\twith_n\nchr1\t340\t400\toverlapping\nchr9\t0\t60\tgone\n")
    return bed


@pytest.mark.parametrize("strand", ["forward", "reverse"])
def test_npz_holds_hypothetical_scores_and_sequence_in_the_order_of_regions_tsv(run, windows, strand):
    run("-f", "npz", "-f", "csv", "--regions", windows, "--strand", strand)
    scores = np.load("genome.hypothetical.npz")["arr_0"]
    sequence = np.load("genome.onehot.npz")["arr_0"]
    assert scores.shape == sequence.shape == (3, 4, 60)
    kept = pd.read_csv("genome.regions.tsv", sep="\t").query("status == 'kept'")
    assert list(kept.name) == ["first", "with_n", "overlapping"]
    table = pd.read_csv("genome.csv").set_index(["chrom", "start"])
    for region, row in enumerate(kept.itertuples()):
        for at in range(row.start, row.end):
            column = sequence[region, :, at - row.start]
            if (row.chrom, at) not in table.index:
                assert not column.any()
                assert not scores[region, :, at - row.start].any()
                continue
            base = table.loc[(row.chrom, at)]
            assert "ACGT"[column.argmax()] == base.base
            assert column.sum() == 1
            # What is there is the contribution; the correction makes the four add up to nothing.
            assert scores[region, column.argmax(), at - row.start] == np.float32(base.contribution)
            assert abs(scores[region, :, at - row.start].sum()) < 1e-4


def test_npz_of_regions_of_several_lengths_or_without_an_adjoint_is_refused(pgf, genome, checkpoint):
    for options, said in (
        (["--region", "chr1:1-10", "--region", "chr1:101-120"], "one length"),
        (["--mode", "tangent"], "adjoint"),
    ):
        result = pgf("run", genome, "-m", checkpoint, "-f", "npz", *options)
        assert result.exit_code == 2
        assert said in result.stderr


def test_the_traced_sources_of_a_ghost_are_exact_and_old_enough(run, monkeypatch):
    monkeypatch.setattr("pgf_cli.runs.trace.SOURCES", 10_000)
    options = ("--mode", "tangent", "--dtype", "float64", "--ghost-distance", "60")
    printed = run(*options, "--trace", "2", "--tile", "50").stdout
    assert "sources of ghost pulses" in printed
    rows = pd.read_csv("genome.trace.tsv", sep="\t")
    hits = pd.read_csv("genome.hits.tsv", sep="\t").query("track == 'ghost'").set_index(["chrom", "name"])
    ghosts = {
        (record["name"], name): entry
        for record in json.loads(Path("genome.run.json").read_text())["records"]
        for name, entry in record["ghosts"].items()
    }
    assert len(rows.groupby(["chrom", "hit"])) == 4
    for hit, sources in rows.groupby(["chrom", "hit"]):
        # By linearity the parts of all sources add up to the ghost itself.
        assert sources.value.sum() == pytest.approx(hits.loc[hit].value, rel=1e-9)
        assert sources.share.sum() == pytest.approx(1, rel=1e-9)
        assert (np.diff(sources.value.abs()) <= 0).all()
        assert sources.distance.min() == ghosts[hit]["upstream"]
        assert (sources.start == hits.loc[hit].start - sources.distance).all()
        assert sources.start.min() == 0


def test_a_source_s_part_is_what_a_pulse_there_does_to_the_hit(run):
    options = ("--mode", "tangent", "--dtype", "float64", "--region", "chr2:1-400")
    run(*options, "--ghost-distance", "60", "--trace", "1")
    best = pd.read_csv("genome.trace.tsv", sep="\t").iloc[0]
    run(*options, "--ghost-distance", "0", "--pulse", f"chr2:{best.start + 1}", "-o", "pulse")
    track = pd.read_csv("pulse.response.bedgraph", sep="\t", header=None).set_index(1)[3]
    # The pulse's response is a norm; its part along the ghost's own direction is no larger.
    assert 0 < abs(best.value) <= track[best.hit_start] * (1 + 1e-9)


@pytest.mark.parametrize(
    "options", [("--mode", "adjoint"), ("--ghost-distance", "0"), ("--pulse", "chr1:5"), ("--direction", "random")]
)
def test_trace_without_ghosts_to_follow_is_refused(pgf, genome, checkpoint, options):
    result = pgf("run", genome, "-m", checkpoint, "--trace", "1", *options)
    assert result.exit_code == 2
    assert "--trace" in result.stderr
