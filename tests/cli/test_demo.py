"""The demo runs on sample data and says what its model is and what the numbers show; here on a small made-up sample."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pgf_cli.checkpoints import read_checkpoint, save_checkpoint
from pgf_cli.cli import demo
from pgf_cli.genome import Genome, read_genes
from pgf_cli.hits import DONORS, SiteComparison, Standing
from pgf_cli.reports.demonstration import verdict
from pgf_cli.training import initial_weights

NAME = "NC_003070.9_8000001_8400000"
BASES = 3000
DONOR, START = "AAGTCAT", "CCATGGCA"
"""With the 2 letters before and 3 after that a look-alike shares."""


@pytest.fixture
def sample(tmp_path, monkeypatch, checkpoint):
    """A folder like sample_data: 3 kb, a gene on each strand whose start and donor have look-alikes, a toy model."""
    folder = tmp_path / "sample"
    folder.mkdir()
    letters = "".join(np.random.default_rng(5).choice(list("ACGT"), BASES))
    # The first of each is annotated: the start codon is the gene's base 101, the donor its base 201.
    planted = {98: START, 198: DONOR, 240: DONOR, 320: DONOR, 340: START, 360: START}
    for at, motif in planted.items():
        letters = letters[:at] + motif + letters[at + len(motif) :]
        there, other = BASES - at - len(motif), motif[::-1].translate(str.maketrans("ACGT", "TGCA"))
        letters = letters[:there] + other + letters[there + len(motif) :]
    (folder / demo.FASTA).write_text(f">{NAME}\n{letters}\n")
    rows = []
    for gene, strand, exons, coding in (
        ("a", "+", ["51-200", "301-500"], "101-200"),
        ("b", "-", ["2801-2950", "2501-2700"], "2801-2900"),
    ):
        for kind, span in [("exon", exons[0]), ("exon", exons[1]), ("CDS", coding)]:
            start, end = span.split("-")
            rows.append(f"{NAME}\t.\t{kind}\t{start}\t{end}\t.\t{strand}\t0\tParent={gene}\n")
    # Not gzipped, whatever its name: how it is packed makes no difference.
    (folder / demo.ANNOTATION).write_text("##gff-version 3\n" + "".join(rows))
    read = read_checkpoint(checkpoint)
    note = "step 1,600 of 1,600 of training on nothing, 1.9 bits per base, held out"
    save_checkpoint(folder / demo.CHECKPOINT, read.config, read.tensors, read.base_ids, note)
    monkeypatch.setattr(demo, "sample_data", lambda: folder)
    return folder


def test_demo_reports_the_run_and_compares_annotated_sites(pgf, sample):
    result = pgf("demo")
    assert result.exit_code == 0, result.output
    assert "certificate of exactness: passed" in result.stdout
    assert "step 1,600 of 1,600 of training" in result.stdout
    assert "UNTRAINED" not in result.stdout
    assert len(pd.read_csv("pgf-demo/arabidopsis_heldout.csv")) == BASES
    # Two genes, a site and at least two look-alikes in each.
    table = re.findall(r"^ +(splice donors, GT|start codons, ATG) +trained +2 +2 +(\d+)", result.stdout, re.MULTILINE)
    assert [(name, int(lookalikes) >= 4) for name, lookalikes in table] == [
        ("splice donors, GT", True),
        ("start codons, ATG", True),
    ]
    assert len(re.findall(r"^ +untrained [012] ", result.stdout, re.MULTILINE)) == 6
    assert result.stdout.count("nothing shown") + result.stdout.count("in the trained model") == 2
    assert "what this does not show" in result.stdout
    manifests = {path.name: json.loads(path.read_text()) for path in Path("pgf-demo").glob("*.run.json")}
    runs = {
        name: (Path(run["model"]["path"]).name, run["strand"], run["mode"], run["objective"].split(" of")[0])
        for name, run in manifests.items()
    }
    untrained = {
        f"arabidopsis_heldout.untrained-{seed}{suffix}.run.json": (f"untrained-{seed}.safetensors", strand, "adjoint")
        for seed in (0, 1, 2)
        for suffix, strand in (("", "forward"), (".reverse", "reverse"))
    }
    trained = {
        "arabidopsis_heldout.run.json": (demo.CHECKPOINT, "forward", "both"),
        "arabidopsis_heldout.reverse.run.json": (demo.CHECKPOINT, "reverse", "adjoint"),
    }
    assert runs == {name: (*run, "the log-likelihood") for name, run in (untrained | trained).items()}
    again = pgf("demo")
    assert again.exit_code == 1
    assert "--force" in again.stderr


def test_each_comparison_reads_the_tracks_of_its_strand_and_weights(tmp_path, sample):
    with Genome.open(sample / demo.FASTA) as genome:
        genes = {gene.strand: gene for gene in read_genes(sample / demo.ANNOTATION, genome.lengths)}
    assert (genes["+"].donors, genes["+"].starts) == ((200,), (100,))
    assert (genes["-"].donors, genes["-"].starts) == ((BASES - 1 - 200,), (BASES - 1 - 100,))
    prefix = tmp_path / "run"
    for weights in ("", ".untrained-0", ".untrained-1", ".untrained-2"):
        for strand, gene in (("", genes["+"]), (".reverse", genes["-"])):
            values = np.zeros(BASES)
            if not weights:
                values[[*gene.donors, *gene.starts]] = 1.0
            lines = [f"{NAME}\t{at}\t{at + 1}\t{value}\n" for at, value in enumerate(values)]
            (tmp_path / f"run{weights}{strand}.contribution.bedgraph").write_text("".join(lines))
    for found in demo.compare(sample / demo.FASTA, sample / demo.ANNOTATION, prefix):
        assert found.sites == 2
        assert found.trained.value == found.highest > 0.7
        assert [standing.value for standing in found.untrained] == pytest.approx([0.5, 0.5, 0.5])


def test_untrained_weights_are_those_that_training_begins_with(sample, tmp_path):
    path = tmp_path / "untrained.safetensors"
    demo.save_untrained(sample / demo.CHECKPOINT, path, 7)
    read = read_checkpoint(path)
    assert read.note == "random weights, seed 7: not trained"
    for name, tensor in initial_weights(read_checkpoint(sample / demo.CHECKPOINT).config, 7).items():
        torch.testing.assert_close(read.tensors[name], tensor, rtol=0, atol=0)


@pytest.mark.parametrize("note", [None, "random weights, seed 0: not trained", "step 0 of 1,600 of training on x"])
def test_a_checkpoint_that_was_not_trained_is_called_so(sample, checkpoint, note):
    read = read_checkpoint(checkpoint)
    save_checkpoint(sample / demo.CHECKPOINT, read.config, read.tensors, read.base_ids, note)
    assert "UNTRAINED, or its training is unknown" in demo.describe(sample / demo.CHECKPOINT)


def test_without_the_checkpoint_the_demo_says_which_file_is_missing(pgf, sample):
    (sample / demo.CHECKPOINT).unlink()
    result = pgf("demo")
    assert result.exit_code == 1
    assert demo.CHECKPOINT in result.stderr


@pytest.mark.parametrize(
    ("trained", "untrained", "differences", "words"),
    [
        ((0.62, 0.001), (0.51, 0.45), ((0.11, 0.002), (0.17, 0.001)), r"contribute more .* 45\.0 to 51\.0 \(2 draws\)"),
        ((0.38, 0.001), (0.51, 0.45), ((-0.13, 0.002), (-0.07, 0.01)), r"contribute less .* -7\.0, highest p 0\.01\)"),
        ((0.62, 0.001), (0.60, 0.45), ((0.02, 0.3), (0.17, 0.001)), r"not demonstrably more .* \+2\.0, highest p 0\.3"),
        ((0.62, 0.001), (0.80, 0.45), ((-0.18, 0.001), (0.17, 0.001)), r"not demonstrably more .* -18\.0"),
        ((0.38, 0.001), (0.20, 0.45), ((0.18, 0.001), (-0.07, 0.001)), r"not demonstrably less .* \+18\.0"),
        ((0.53, 0.02), (0.40, 0.45), ((0.13, 0.001), (0.08, 0.001)), r"nothing shown\. .* percentile 53\.0, p 0\.02\)"),
    ],
)
def test_the_verdict_follows_from_the_numbers(trained, untrained, differences, words):
    """A claim needs both: sites that stand out with trained weights, and more so than with any untrained ones."""
    row = SiteComparison(
        motif=DONORS,
        genes=90,
        sites=500,
        lookalikes=2000,
        other_letters=8,
        unmatched=1,
        highest=0.8,
        trained=Standing(trained[0], 0.45, 0.55, trained[1]),
        untrained=tuple(Standing(value, 0.45, 0.55, 0.5) for value in untrained),
        differences=tuple(Standing(value, -0.05, 0.05, p) for value, p in differences),
    )
    said = verdict(row)
    assert re.search(words, said)
    assert ("what training made" in said) == ("nothing" not in said)


def test_an_interrupted_demo_says_how_to_start_again(pgf, sample, monkeypatch):
    def interrupt(*_: object, **__: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "execute", interrupt)
    result = pgf("demo")
    assert result.exit_code == 130
    assert result.stderr == "error: interrupted by SIGINT; give the same command with --force to start again\n"
