"""The adjoint from the command line, against torch autograd of the model's plain definition in float64."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from Bio import SeqIO
from Bio.Seq import Seq

from pgf_cli.checkpoints import read_checkpoint
from pgf_cli.core.one_hot import one_hot
from pgf_cli.genome import encode

CPU = torch.device("cpu")


def bases_of(fasta, name):
    with fasta.open() as file:
        return encode(str(next(record.seq for record in SeqIO.parse(file, "fasta") if record.id == name)).encode())


def autograd(checkpoint, codes, objective):
    """d phi / d x (L, 4), zero at N, by torch autograd over the whole sequence; phi = objective(output, codes)."""
    model = read_checkpoint(checkpoint).build("logits" if "logit" in objective else None, torch.float64, CPU)
    x = one_hot(codes, torch.float64, CPU).requires_grad_()
    y, _ = model(x, model.initial_state(x[:0]))
    return torch.autograd.grad(OBJECTIVES[objective](y, codes), x)[0][:, :4].numpy() * (codes != 4)[:, None]


def loglik(y, codes, first=0, end=None):
    """Positions are those of the predicted bases."""
    return sum(
        y[at - 1, codes[at]] for at in range(max(1, first), len(codes) if end is None else end) if codes[at] != 4
    )


OBJECTIVES = {
    "loglik": loglik,
    "loglik 401-450": lambda y, codes: loglik(y, codes, 400, 450),
    "sum": lambda y, codes: y.sum(),
    "logit:G": lambda y, codes: y[:, 2].sum(),
}


def corrected(gradient):
    return gradient - gradient.mean(1, keepdims=True)


def relative(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.fixture
def table(run):
    """Run in adjoint mode in float64 and return the CSV of one record, by position."""

    def call(*options, name="chr1", dtype="float64"):
        run("--mode", "adjoint", "-f", "csv", "--dtype", dtype, "--force", *options)
        csv = pd.read_csv("genome.csv")
        return csv[csv.chrom == name].set_index("start")

    return call


@pytest.mark.parametrize(
    ("objective", "options"),
    [
        ("loglik", ()),
        ("loglik", ("--tile", "7")),
        ("loglik 401-450", ("--target", "chr1:401-450")),
        ("sum", ("--objective", "sum")),
        ("logit:G", ("--objective", "logit:G")),
        ("logit:G", ("--objective", "logit:2")),
    ],
)
def test_contribution_is_the_corrected_gradient_at_the_base_that_is_there(
    objective, options, table, genome, checkpoint
):
    codes = bases_of(genome, "chr1")
    gradient = corrected(autograd(checkpoint, codes, objective))
    found = table(*options).contribution
    expected = gradient[found.index, codes[found.index]]
    assert len(found) == (codes != 4).sum()
    assert relative(found, expected) <= 1e-9
    if "401" in objective:
        assert (found[found.index >= 450] == 0).all()
        assert (found[found.index < 449] != 0).any()


def test_float32_is_within_its_contract(table, genome, checkpoint):
    codes = bases_of(genome, "chr1")
    gradient = corrected(autograd(checkpoint, codes, "loglik"))
    found = table(dtype="float32").contribution
    assert relative(found, gradient[found.index, codes[found.index]]) <= 1e-5


def test_norm_and_max_snv_and_the_switch_of_the_correction(table, genome, checkpoint):
    codes = bases_of(genome, "chr2")
    gradient = autograd(checkpoint, codes, "loglik")
    tracks = ("--track", "norm", "--track", "max-snv", "--track", "contribution")
    found = table(*tracks, name="chr2")
    assert relative(found.norm, np.linalg.norm(corrected(gradient), axis=1)) <= 1e-9
    change = gradient - gradient[np.arange(len(codes)), codes][:, None]
    strongest = change[np.arange(len(codes)), np.abs(change).argmax(1)]
    assert relative(found["max-snv"], strongest) <= 1e-9
    plain = table(*tracks, "--no-gradient-correction", name="chr2")
    assert relative(plain.contribution, gradient[np.arange(len(codes)), codes]) <= 1e-9
    assert relative(plain.norm, np.linalg.norm(gradient, axis=1)) <= 1e-9


def test_the_objective_s_value_is_in_the_manifest(run, genome, checkpoint):
    run("--mode", "adjoint", "--dtype", "float64", "--region", "chr1:401-450")
    codes = bases_of(genome, "chr1")
    model = read_checkpoint(checkpoint).build(None, torch.float64, CPU)
    x = one_hot(codes, torch.float64, CPU)
    with torch.no_grad():
        y, _ = model(x, model.initial_state(x[:0]))
    manifest = json.loads(Path("genome.run.json").read_text())
    assert manifest["records"][0]["adjoint"]["objective"] == pytest.approx(loglik(y, codes, 400, 450).item())
    assert "log-likelihood" in manifest["objective"]


def test_both_writes_all_tracks_and_the_two_signed_totals_are_equal(run):
    printed = run("--ghost-distance", "100").stdout
    manifest = json.loads(Path("genome.run.json").read_text())
    assert [track["name"] for track in manifest["tracks"]] == ["response", "ghost", "contribution"]
    assert manifest["gap"] <= 1e-5
    for record in manifest["records"]:
        adjoint = record["adjoint"]
        assert adjoint["tangent_total"] == pytest.approx(adjoint["adjoint_total"], rel=1e-5)
        # Along the contrast the adjoint's total is the sum of the contributions of the bases that are there.
        values = pd.read_csv("genome.contribution.bedgraph", sep="\t", header=None)
        assert values[values[0] == record["name"]][3].sum() == pytest.approx(adjoint["adjoint_total"], rel=1e-4)
    assert "signed totals" in printed
    assert "contribution hits: the" in printed


@pytest.mark.parametrize("options", [("--direction", "random:2"), ("--pulse", "chr1:200", "--pulse", "chr1:500")])
def test_the_two_totals_are_equal_along_any_direction(run, options):
    run("--dtype", "float64", *options)
    assert json.loads(Path("genome.run.json").read_text())["gap"] <= 1e-10


def test_tangent_tracks_do_not_depend_on_the_mode(run):
    run("-o", "tangent", "--mode", "tangent")
    run("-o", "both", "--mode", "both")
    run("-o", "adjoint", "--mode", "adjoint")
    for name, kinds in (("tangent", ("response", "ghost")), ("adjoint", ("contribution",))):
        for kind in kinds:
            assert Path(f"{name}.{kind}.bedgraph").read_bytes() == Path(f"both.{kind}.bedgraph").read_bytes()


def test_contribution_hits_are_two_sided(run):
    run("--mode", "adjoint", "--hits", "6")
    track = pd.read_csv("genome.contribution.bedgraph", sep="\t", header=None).set_index([0, 1])[3]
    hits = pd.read_csv("genome.hits.tsv", sep="\t")
    assert (hits.value < 0).any()
    for name, group in hits.groupby("chrom"):
        here = track[name]
        assert list(group.value) == list(here[group.start])
        assert (np.diff(group.value.abs()) <= 0).all()
        magnitudes = here.abs()
        expected = [100 * ((magnitudes < v).mean() + (magnitudes == v).mean() / 2) for v in group.value.abs()]
        np.testing.assert_allclose(group.percentile, expected)
        mad = (here - here.median()).abs().median()
        np.testing.assert_allclose(group.robust_z, (group.value - here.median()) / (1.4826 * mad), rtol=1e-4)


def test_snapshot_budget_and_place_do_not_change_a_byte(run, monkeypatch):
    run("-o", "plenty", "--mode", "adjoint", "--tile", "10")
    monkeypatch.setattr("pgf_cli.runs.plan.MEGABYTE", 1500)
    run("-o", "scarce", "--mode", "adjoint", "--tile", "10", "--snapshot-budget", "2")
    run("-o", "disk", "--mode", "adjoint", "--tile", "10", "--snapshot-budget", "2", "--snapshots-on-disk")
    for name in ("scarce", "disk"):
        assert Path(f"{name}.contribution.bedgraph").read_bytes() == Path("plenty.contribution.bedgraph").read_bytes()
        schedule = json.loads(Path(f"{name}.run.json").read_text())["records"][0]["adjoint"]["schedules"][0]
        assert schedule["extra_tiles"] > 0
        assert schedule["snapshots"] * schedule["state_bytes"] <= 3000
    plenty = json.loads(Path("plenty.run.json").read_text())["records"][0]["adjoint"]["schedules"][0]
    assert plenty["extra_tiles"] == 0


def test_threads_do_not_change_a_byte(run):
    for threads in (1, 2, 4):
        run("-o", f"t{threads}", "--mode", "adjoint", "--threads", threads)
    one, two, four = (Path(f"t{threads}.contribution.bedgraph").read_bytes() for threads in (1, 2, 4))
    assert one == two == four


def test_the_reverse_strand_is_the_reverse_complement_mirrored(run, pgf, genome, checkpoint):
    sequence = Seq("".join("ACGTN"[code] for code in bases_of(genome, "chr1"))).reverse_complement()
    mirrored = genome.with_name("mirrored.fa")
    mirrored.write_text(f">chr1\n{sequence}\n")
    run("-o", "here", "--strand", "reverse", "--mode", "adjoint", "--chrom", "chr1", "--target", "chr1:101-300")
    arguments = ("-o", "there", "--mode", "adjoint", "--target", "chr1:601-800")
    assert pgf("run", mirrored, "-m", checkpoint, *arguments).exit_code == 0
    here, there = (pd.read_csv(f"{name}.contribution.bedgraph", sep="\t", header=None) for name in ("here", "there"))
    assert list(here[1]) == list(900 - there[2])[::-1]
    assert list(here[3]) == list(there[3])[::-1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--objective", "beauty"], "--objective is 'beauty'; it must be loglik, sum, logit:J (J a base or a row of"),
        (["--objective", "logit:Q"], "the head has no 'Q'"),
        (["--objective", "logit:6"], "a row from 0 to 5"),
        (["--objective", "logit:A", "--output-layer", "hidden"], "--objective logit:A"),
        (["--objective", "loglik", "--output-layer", "hidden"], "--output-layer logprobs"),
        (["--target", "chr1:1-10", "--chrom", "chr2"], "no --target is on chr2"),
        (["--target", "chr9:1-10"], "chr9"),
        (["--mode", "tangent", "--target", "chr1:1-10"], "--mode"),
        (["--mode", "adjoint", "--pulse", "chr1:10"], "--mode"),
        (["--snapshot-budget", "0"], "--snapshot-budget"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(pgf, genome, checkpoint, options, said):
    result = pgf("run", genome, "-m", checkpoint, *options)
    assert result.exit_code in (1, 2)
    (line,) = result.stderr.splitlines()
    assert said in line
    assert not list(Path().iterdir())
