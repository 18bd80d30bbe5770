"""``pgf-sensitivity verify``: the certificate as a table, as JSON, and as an exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pgf_cli.checkpoints import read_checkpoint
from pgf_cli.cli.verify import probe_of
from pgf_cli.core.models import MambaLM

CHECKS = ["adjoint identity", "central finite differences", "float32 against float64", "tiles of 37 against one tile"]


@pytest.fixture
def wrong_adjoint(monkeypatch):
    right = MambaLM.vjp

    def off(self, *arguments, **options):
        pulled = right(self, *arguments, **options)
        return pulled._replace(x_bar=pulled.x_bar * (1 + 1e-3))

    monkeypatch.setattr(MambaLM, "vjp", off)


def rows(page):
    """The table's lines: name, what was compared, error, threshold, verdict."""
    lines = page.splitlines()
    begin = next(at for at, line in enumerate(lines) if line.startswith("  check"))
    return [[cell.strip() for cell in line.strip().split("  ") if cell.strip()] for line in lines[begin + 1 :][:4]]


@pytest.mark.parametrize(("dtype", "rounding"), [("float32", "1e-05"), ("float64", "1e-12")])
def test_a_table_with_error_threshold_and_verdict_and_exit_0(pgf, checkpoint, dtype, rounding):
    result = pgf("verify", "-m", checkpoint, "--dtype", dtype, "--bases", "80")
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"{checkpoint} (mamba): derivative of logprobs, {dtype} on cpu" in result.stdout
    assert "on 80 random bases (seed 0)" in result.stdout
    table = rows(result.stdout)
    assert [row[0] for row in table] == CHECKS
    assert [row[3] for row in table] == [rounding, "1e-06", "1e-05", rounding]
    assert all(0 <= float(row[2]) <= float(row[3]) for row in table)
    assert [row[4] for row in table] == ["pass"] * 4
    assert dtype in table[0][1]
    assert result.stdout.splitlines()[-1].startswith("passed")
    assert not list(Path().iterdir())


def test_a_planted_error_is_fail_in_its_row_and_exit_3(pgf, checkpoint, wrong_adjoint):
    result = pgf("verify", "-m", checkpoint, "--bases", "80")
    assert (result.exit_code, result.stderr) == (3, "")
    assert [row[4] for row in rows(result.stdout)] == ["FAIL", "pass", "pass", "pass"]
    assert result.stdout.splitlines()[-1].startswith("FAILED: do not rely on tracks")


def test_json_says_the_same_and_exits_3_too(pgf, checkpoint, wrong_adjoint):
    result = pgf("verify", "-m", checkpoint, "--bases", "80", "--json", "--output-layer", "hidden")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["passed"]) == (3, False)
    assert [(check["name"], check["passed"]) for check in found["checks"]] == [
        (name, name != CHECKS[0]) for name in CHECKS
    ]
    assert all((check["error"] <= check["threshold"]) == check["passed"] for check in found["checks"])
    assert (found["checkpoint"], found["dtype"], found["output_layer"]) == (str(checkpoint), "float32", "hidden")
    assert (found["probe"], found["probe_bases"]) == ("80 random bases (seed 0)", 80)


def test_errors_that_are_no_numbers_fail_and_are_null(pgf, checkpoint, monkeypatch):
    monkeypatch.setattr("pgf_cli.core.certificate.relative_error", lambda a, b: float("nan"))
    result = pgf("verify", "-m", checkpoint, "--bases", "20", "--json")
    assert result.exit_code == 3
    assert [check["error"] for check in json.loads(result.stdout)["checks"][1:]] == [None] * 3


def test_the_probe_is_the_first_bases_of_the_fasta_without_n(pgf, checkpoint, tmp_path):
    fasta = tmp_path / "some.fa"
    fasta.write_text(">a\nNNNN\n>b\nNNACGNNT\nryac\n>c\nGGGGGG\n")
    assert probe_of(fasta, 8)[0].tolist() == [0, 1, 2, 3, 0, 1, 2, 2]
    result = pgf("verify", fasta, "-m", checkpoint, "--bases", "8")
    assert result.exit_code == 0
    assert f"on the first 8 non-N bases of {fasta}" in result.stdout
    fewer = json.loads(pgf("verify", fasta, "-m", checkpoint, "--json").stdout)
    assert (fewer["probe"], fewer["probe_bases"]) == (f"the first 12 non-N bases of {fasta}", 12)


def test_one_base_of_the_paper_s_operator(pgf, tmp_path):
    sizes = {
        "A_log": (3,), "D": (4,), "redshift_scale": (), "dt_proj.weight": (4, 4), "dt_proj.bias": (4,),
        "B_proj.weight": (3, 4), "B_proj.bias": (3,), "C_proj.weight": (3, 4), "C_proj.bias": (3,),
        "init_estimator.weight": (12, 8), "init_estimator.bias": (12,),
    }  # fmt: skip
    torch.manual_seed(0)
    torch.save({name: torch.randn(shape) for name, shape in sizes.items()}, tmp_path / "operator.pt")
    for bases in (1, 2, 40):
        result = pgf("verify", "-m", tmp_path / "operator.pt", "--bases", bases)
        assert result.exit_code == 0, result.output
    assert "(frechet): derivative of hidden" in result.stdout


def test_the_seed_chooses_the_random_bases_and_the_weights(pgf, checkpoint):
    zero, again, one = (
        pgf("verify", "-m", checkpoint, "--bases", "40", "--json", "--seed", n).stdout for n in (0, 0, 1)
    )
    assert zero == again
    assert [check["error"] for check in json.loads(zero)["checks"]] != [
        check["error"] for check in json.loads(one)["checks"]
    ]


def test_what_is_piped_is_plain_and_unpadded_and_forced_color_is_not(pgf, checkpoint):
    plain = pgf("verify", "-m", checkpoint, "--bases", "20").stdout
    assert "\x1b" not in plain
    assert all(line == line.rstrip() for line in plain.splitlines())
    assert "\x1b" in pgf("verify", "-m", checkpoint, "--bases", "20", FORCE_COLOR="1", TERM="xterm").stdout


def test_a_missing_checkpoint_is_one_line_and_exit_1(pgf, tmp_path):
    result = pgf("verify", "-m", tmp_path / "none.pt")
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        result.stderr == f"error: {tmp_path / 'none.pt'}: no such checkpoint file or folder; a model of the "
        "Hugging Face hub must be downloaded first.\n"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [(">a\nNNNNNN\n>b\nnnnRY\n", "every base is N"), (None, "does not exist"), (">a\nACG!\n", "position 4")],
)
def test_a_fasta_without_a_probe_is_one_line_and_exit_1(pgf, checkpoint, tmp_path, text, said):
    fasta = tmp_path / "bad.fa"
    if text is not None:
        fasta.write_text(text)
    result = pgf("verify", fasta, "-m", checkpoint)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {fasta}")
    assert said in line


@pytest.mark.parametrize(
    "options", [("--bases", "0"), ("--seed", "-1"), ("-p", "0"), ("--dtype", "float16"), ("--alphabet", "A=0")]
)
def test_wrong_usage_exits_2(pgf, checkpoint, options):
    result = pgf("verify", "-m", checkpoint, *options)
    assert (result.exit_code, result.stdout) == (2, "")


def test_the_alphabet_option_reaches_the_model(pgf, checkpoint):
    def errors(*options):
        return [
            check["error"] for check in json.loads(pgf("verify", "-m", checkpoint, "--json", *options).stdout)["checks"]
        ]

    ids = read_checkpoint(checkpoint).alphabet
    same = ",".join(f"{letter}={row}" for letter, row in ids.items())
    assert errors("--bases", "20") == errors("--bases", "20", "--alphabet", same)
    assert errors("--bases", "20") != errors("--bases", "20", "--alphabet", "A=3,C=2,G=1,T=0,N=4")


def test_verbose_shows_where_an_error_came_from(pgf, tmp_path):
    assert "Traceback" in pgf("verify", "-m", tmp_path / "none.pt", "-v").stderr


def test_help_answers_without_importing_torch():
    script = (
        "import sys\nfrom typer.testing import CliRunner\nfrom pgf_cli.cli.app import app\n"
        "result = CliRunner().invoke(app, ['verify', '--help'])\nassert result.exit_code == 0\n"
        "assert 'adjoint identity' in result.stdout\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
