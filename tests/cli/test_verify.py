"""``pgf-sensitivity verify``: the certificate as a table, as JSON, and as an exit code."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from rich.console import Console

from pgf_cli.checkpoints import read_checkpoint
from pgf_cli.cli.verify import probes_of
from pgf_cli.core.certificate import certify, take_deep_probe
from pgf_cli.core.models import MambaLM
from pgf_cli.reports import print_certificate

CONSISTENCY = ["adjoint identity", "tiles of 37 against one tile", "central finite differences"]
CHECKS = {
    "float32": [*CONSISTENCY, "float32 against float64", "float32 against float64, deep inside"],
    "float64": CONSISTENCY,
}
QUICK = ("--bases", "80", "--probe-depth", "600")


@pytest.fixture
def wrong_adjoint(monkeypatch):
    right = MambaLM.vjp

    def off(self, *arguments, **options):
        pulled = right(self, *arguments, **options)
        return pulled._replace(x_bar=pulled.x_bar * (1 + 1e-3))

    monkeypatch.setattr(MambaLM, "vjp", off)


def rows(page):
    """The table's lines: verdict, name, error, threshold, what was compared."""
    lines = [line.strip() for line in page.splitlines()]
    return [
        [cell.strip() for cell in line.split("  ") if cell] for line in lines if line.startswith(("pass  ", "FAIL  "))
    ]


@pytest.mark.parametrize(("dtype", "rounding"), [("float32", 1e-5), ("float64", 1e-12)])
def test_a_table_with_error_threshold_and_verdict_and_exit_0(pgf, checkpoint, dtype, rounding):
    result = pgf("verify", checkpoint, "--dtype", dtype, *QUICK)
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"{checkpoint} (mamba): derivative of logprobs, {dtype} on cpu" in result.stdout
    assert "on 80 random bases (seed 0)" in result.stdout
    assert ("and deep inside on 256 more after 600 of them" in result.stdout) == (dtype == "float32")
    assert f"{dtype} holds about " in result.stdout
    table = rows(result.stdout)
    assert [row[1] for row in table] == CHECKS[dtype]
    assert [float(row[3]) for row in table[:3]] == [rounding, rounding, 1e-6]
    assert all(0 <= float(row[2]) <= float(row[3]) for row in table)
    assert {row[0] for row in table} == {"pass"}
    assert dtype in table[0][4]
    assert result.stdout.splitlines()[-1].startswith("passed")
    assert not list(Path().iterdir())


@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_terminal_shows_every_word_within_its_width(width, dna, make_mamba):
    codes = dna(700)
    certificate = certify(make_mamba().float(), codes[:60], deep=take_deep_probe(codes, 0, 700, 300))

    def page(columns):
        file = io.StringIO()
        console = Console(file=file, width=columns, highlight=False, emoji=False)
        print_certificate(certificate, "toy.pt (mamba)", "60 random bases", "256 more after 300 of them", console)
        return file.getvalue()

    assert sorted(page(width).split()) == sorted(page(200).split())
    assert max(map(len, page(width).splitlines())) <= width < max(map(len, page(200).splitlines()))


def test_a_planted_error_is_fail_in_its_row_and_exit_3(pgf, checkpoint, wrong_adjoint):
    result = pgf("verify", checkpoint, *QUICK)
    assert (result.exit_code, result.stderr) == (3, "")
    assert [row[0] for row in rows(result.stdout)] == ["FAIL", *["pass"] * 4]
    assert result.stdout.splitlines()[-1].startswith("FAILED: do not rely on tracks")


def test_json_says_the_same_and_exits_3_too(pgf, checkpoint, wrong_adjoint):
    result = pgf("verify", checkpoint, *QUICK, "--json", "--output-layer", "hidden")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["passed"]) == (3, False)
    names = CHECKS["float32"]
    assert [(check["name"], check["passed"]) for check in found["checks"]] == [
        (name, name != names[0]) for name in names
    ]
    assert all((check["error"] <= check["threshold"]) == check["passed"] for check in found["checks"])
    assert (found["checkpoint"], found["dtype"], found["output_layer"]) == (str(checkpoint), "float32", "hidden")
    assert (found["probe"], found["probe_bases"]) == ("80 random bases (seed 0)", 80)
    assert found["deep_probe"] == "256 more after 600 of them"
    assert found["precision"].startswith("float32 holds about ")
    assert 1e-9 < found["kappa"] < 1e-5


def test_the_deep_probe_is_inside_the_longest_record_and_depth_0_takes_none(pgf, checkpoint, genome):
    found = json.loads(pgf("verify", checkpoint, genome, "--probe-depth", "200", "--json").stdout)
    assert re.fullmatch(r"256 bases from chr1:[2-6]\d\d on, after 200 bases read", found["deep_probe"])
    none = json.loads(pgf("verify", checkpoint, genome, "--probe-depth", "0", "--json").stdout)
    assert none["deep_probe"] is None
    assert [check["name"] for check in none["checks"]] == CHECKS["float32"][:-1]
    as_deep_as_it_goes = json.loads(pgf("verify", checkpoint, genome, "--json").stdout)
    assert as_deep_as_it_goes["deep_probe"].endswith("after 644 bases read")


def test_errors_that_are_no_numbers_fail_and_are_null(pgf, checkpoint, monkeypatch):
    monkeypatch.setattr("pgf_cli.core.certificate.certification.relative_error", lambda a, b: float("nan"))
    result = pgf("verify", checkpoint, *QUICK, "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 3
    assert [check["error"] for check in found["checks"][1:]] == [None] * 4
    assert found["precision"] == "float32 holds no digit of this model's derivative, deep inside the sequence too"


def test_the_probe_is_the_first_bases_of_the_fasta_without_n(pgf, checkpoint, tmp_path):
    fasta = tmp_path / "some.fa"
    fasta.write_text(">a\nNNNN\n>b\nNNACGNNT\nryac\n>c\nGGGGGG\n")
    assert probes_of(fasta, 8, 0).first.tolist() == [0, 1, 2, 3, 0, 1, 2, 2]
    result = pgf("verify", checkpoint, fasta, "--bases", "8")
    assert result.exit_code == 0
    assert f"on the first 8 non-N bases of {fasta}" in result.stdout
    fewer = json.loads(pgf("verify", checkpoint, fasta, "--json").stdout)
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
        result = pgf("verify", tmp_path / "operator.pt", "--bases", bases, "--probe-depth", "300")
        assert result.exit_code == 0, result.output
    assert "(frechet): derivative of hidden" in result.stdout


def test_the_seed_chooses_the_random_bases_and_the_weights(pgf, checkpoint):
    zero, again, one = (
        pgf("verify", checkpoint, "--bases", "40", "--probe-depth", "0", "--json", "--seed", n).stdout
        for n in (0, 0, 1)
    )
    assert zero == again
    assert [check["error"] for check in json.loads(zero)["checks"]] != [
        check["error"] for check in json.loads(one)["checks"]
    ]


def test_what_is_piped_is_plain_and_unpadded_and_forced_color_is_not(pgf, checkpoint):
    plain = pgf("verify", checkpoint, "--bases", "20", "--probe-depth", "0").stdout
    assert "\x1b" not in plain
    assert all(line == line.rstrip() for line in plain.splitlines())
    assert (
        "\x1b" in pgf("verify", checkpoint, "--bases", "20", "--probe-depth", "0", FORCE_COLOR="1", TERM="xterm").stdout
    )


def test_a_missing_checkpoint_is_one_line_and_exit_1(pgf, tmp_path):
    result = pgf("verify", tmp_path / "none.pt")
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
    result = pgf("verify", checkpoint, fasta)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {fasta}")
    assert said in line


@pytest.mark.parametrize(
    "options",
    [
        ("--bases", "0"),
        ("--bases", "100000"),
        ("--probe-depth", "-1"),
        ("--probe-depth", "9" * 5000),
        ("--seed", "-1"),
        ("-p", "0"),
        ("--dtype", "float16"),
        ("--alphabet", "A=0"),
    ],
)
def test_wrong_usage_exits_2(pgf, checkpoint, options):
    result = pgf("verify", checkpoint, *options)
    assert (result.exit_code, result.stdout) == (2, "")


def test_the_alphabet_option_reaches_the_model(pgf, checkpoint):
    def errors(*options):
        return [check["error"] for check in json.loads(pgf("verify", checkpoint, "--json", *options).stdout)["checks"]]

    ids = read_checkpoint(checkpoint).alphabet
    same = ",".join(f"{letter}={row}" for letter, row in ids.items())
    assert errors("--bases", "20", "--probe-depth", "0") == errors(
        "--bases", "20", "--probe-depth", "0", "--alphabet", same
    )
    assert errors("--bases", "20", "--probe-depth", "0") != errors(
        "--bases", "20", "--probe-depth", "0", "--alphabet", "A=3,C=2,G=1,T=0,N=4"
    )


def test_verbose_shows_where_an_error_came_from(pgf, tmp_path):
    assert "Traceback" in pgf("verify", tmp_path / "none.pt", "-v").stderr


def test_help_answers_without_importing_torch():
    script = (
        "import sys\nfrom typer.testing import CliRunner\nfrom pgf_cli.cli.app import app\n"
        "result = CliRunner().invoke(app, ['verify', '--help'])\nassert result.exit_code == 0\n"
        "assert 'adjoint identity' in result.stdout\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
