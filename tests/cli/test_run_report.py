"""What `run` and `report` print."""

import json
from pathlib import Path

import pytest

import pgf_cli


def test_report_prints_the_same_as_run_did_from_the_prefix_or_any_file(run, pgf):
    printed = run("-f", "bedgraph", "-f", "csv").stdout
    for name in ("genome", "genome.csv", "genome.response.bedgraph", "genome.hits.tsv", "genome.run.json"):
        assert pgf("report", name).stdout == printed, name


def test_report_says_what_was_run_what_the_number_means_and_where_the_files_are(run):
    printed = run().stdout
    for text in (
        "tangent and adjoint sweeps", "random weights, toy", "2-norm of the exact derivative", "nats per unit step",
        "chr1  900 bases; 859 scored, 41 skipped (N 40, IUPAC 1), 20 soft-masked", "chr2  400 bases", "median",
        "certificate of exactness: passed (6 checks)", "genome.response.bedgraph", "genome.run.json",
    ):  # fmt: skip
        assert text in printed
    assert "\x1b" not in printed
    assert "FAIL" not in printed


def test_more_than_twenty_records_are_summed_up(pgf, checkpoint, tmp_path):
    fasta = tmp_path / "many.fa"
    fasta.write_text("".join(f">s{at}\nACGTTGCA\n" for at in range(23)))
    printed = pgf("run", fasta, "-m", checkpoint, "--hits", "1").stdout
    assert "s19  8 bases" in printed
    assert "s20  8 bases" not in printed
    assert "and 3 more records: 24 bases scored" in printed


def test_json_prints_the_manifest_and_quiet_nothing(run):
    assert json.loads(run("--json").stdout) == json.loads(Path("genome.run.json").read_text())
    quiet = run("-q", "--force")
    assert (quiet.stdout, quiet.stderr) == ("", "")


def test_estimated_output_size_is_said_before_the_sweep_and_is_about_right(run):
    said = run("--ghost-distance", "0").stderr.splitlines()[0]
    size = sum(path.stat().st_size for path in Path().glob("*.bedgraph")) / 1000
    assert "1,300 bases to score" in said
    assert float(said.rsplit("about ", 1)[1].removesuffix(" kB")) == pytest.approx(size, rel=0.25)


def test_dry_run_says_what_would_be_done_and_does_nothing(run):
    printed = run("--dry-run", "--region", "chr1:101-200").stdout
    assert "read 600 bases and score 100" in printed
    assert "chr1:101-200" in printed
    assert "genome.response.bedgraph" in printed
    assert not list(Path().iterdir())


def test_report_of_what_is_no_run_names_what_to_do(pgf):
    Path("notes.run.json").write_text("{}")
    for name, said in (("nothing", "no run found at nothing"), ("notes", "not a run manifest")):
        result = pgf("report", name)
        assert result.exit_code == 1
        assert said in result.stderr


def test_version_and_help(pgf):
    assert pgf("--version").stdout == f"pgf-sensitivity {pgf_cli.__version__}\n"
    for arguments in (["-h"], ["run", "-h"], ["report", "-h"], ["demo", "-h"]):
        assert pgf(*arguments).exit_code == 0
