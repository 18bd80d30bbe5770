"""``--dry-run`` says what a run would do, warns as a run does, refuses what a run would, and leaves nothing behind."""

from pathlib import Path

import pytest


@pytest.fixture
def both(pgf, genome, checkpoint):
    """The stderr of the dry run and of the run, both refused."""

    def call(*arguments):
        found = []
        for dry in (("--dry-run",), ()):
            before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
            result = pgf("run", genome, "-m", checkpoint, *arguments, *dry)
            assert result.exit_code in (1, 2), result.output
            assert result.stdout == ""
            assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before
            found.append(
                (result.exit_code, [line for line in result.stderr.splitlines() if "is a folder:" not in line])
            )
        return found

    return call


@pytest.mark.parametrize(
    "arguments",
    [
        ("--chrom", "chr9"),
        ("--region", "chr1:301-340"),
        ("--pulse", "chr1:310"),
        ("--alphabet", "A=0,C=1,G=2,T=3"),
        ("--device", "cuda:99"),
        ("--output-layer", "hidden", "--objective", "loglik"),
        ("--mode", "tangent", "-f", "npz"),
        ("-f", "npz"),
        ("--regions", "none.bed"),
        ("--ghost-distance", "10000000001"),
        ("-o", "missing/prefix"),
        ("--separate",),
    ],
)
def test_it_refuses_what_the_run_refuses_in_the_same_words(both, arguments):
    dry, real = both(*arguments)
    assert dry == real
    assert dry[1][-1].startswith("error: ")


def test_outputs_that_exist_are_refused_by_both(both):
    Path("genome.hits.tsv").write_text("mine")
    dry, real = both()
    assert dry == real
    assert "genome.hits.tsv exists already" in dry[1][0]


def test_it_warns_of_dropped_rows_as_the_run_does_and_lists_what_it_would_write(run, tmp_path):
    bed = tmp_path / "mixed.bed"
    bed.write_text("1\t0\t10\nchr1\t0\t10\n")
    options = ("--regions", bed, "--mode", "tangent", "-f", "csv", "-f", "bedgraph")
    dry = run(*options, "--dry-run")
    assert not list(Path().iterdir())
    real = run(*options)
    warnings = [[line for line in found.stderr.splitlines() if "warning: " in line] for found in (dry, real)]
    assert len(warnings[0]) == 1
    assert warnings[0] == warnings[1]
    assert "1 of 2 regions are dropped" in warnings[0][0]
    listed = {line.strip() for line in dry.stdout.split(" to:\n")[1].splitlines()}
    assert listed == {str(path) for path in Path().iterdir()}
