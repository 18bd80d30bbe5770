"""``--model-family`` on the commands: the page's family, its place in manifest and key, and its errors."""

import json
import re
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from pgf_cli.cli.app import app

PAGE = Path(__file__).parents[2] / "docs" / "own-family.md"


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Run a command beside a FASTA and a checkpoint of the page's family, importable as ``leaky_model``."""
    monkeypatch.chdir(tmp_path)
    (code, _) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "leaky_model.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path / "code")
    torch.manual_seed(0)
    tensors = {"rows": torch.randn(5, 3), "decay": torch.randn(3), "head": torch.randn(3, 4)}
    torch.save({name: tensor.half() for name, tensor in tensors.items()}, "leaky.pt")
    Path("g.fa").write_text(">chr1\n" + "ACGTTGCATN" * 6 + "\n")
    yield lambda *arguments: CliRunner().invoke(app, [*map(str, arguments), "--model-family", "leaky_model:Leaky"])
    sys.modules.pop("leaky_model", None)


RUN = ("run", "g.fa", "-m", "leaky.pt", "--probe-depth", 0, "--tile", 16, "--ghost-distance", 16, "-p", 1)


def test_a_run_names_the_family_and_its_source_s_hash(call, tmp_path):
    import hashlib

    done = call(*RUN)
    assert done.exit_code == 0, done.output
    source = tmp_path / "code" / "leaky_model.py"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    manifest = json.loads(Path("g.run.json").read_text())
    assert manifest["model"]["code"] == {"name": "leaky_model:Leaky", "path": str(source), "sha256": digest}
    assert manifest["key"]["the model's code (--model-family)"] == f"leaky_model:Leaky {digest[:16]}"
    assert manifest["certificate"]["passed"]
    assert f"your own family in {source} (sha256 {digest[:16]})" in done.stdout
    assert "stored as float16, computed in float32" in done.stdout
    # The same source is the same run, another one is another: what is there is not taken for its own.
    assert call(*RUN, "--resume").exit_code == 0
    source.write_text(source.read_text() + "# changed\n")
    refused = call(*RUN, "--resume")
    assert refused.exit_code == 1
    assert "exists already" in refused.stderr


def test_verify_inspect_and_evaluate_take_it(call):
    assert call("verify", "leaky.pt", "--bases", 40, "--probe-depth", 0).exit_code == 0
    found = json.loads(call("inspect", "leaky.pt", "--tile", 64, "--json").stdout)
    assert (found["architecture"], found["layout"], found["sizes"]) == ("leaky", "bare tensors", {"d_model": 3})
    assert found["recognised_by"] == "--model-family leaky_model:Leaky"
    assert (found["objectives"], found["traversal"]) == (["loglik", "sum", "logit:J"], "one sweep")
    assert found["model_family"]["name"] == "leaky_model:Leaky"
    assert "code" in call("inspect", "leaky.pt", "--tile", 64).stdout
    scored = call("evaluate", "g.fa", "-m", "leaky.pt", "--json")
    assert json.loads(scored.stdout)["regions"][0]["predicted"] > 40


def test_without_it_the_file_is_refused_and_a_wrong_name_is_wrong_usage(call):
    refused = CliRunner().invoke(app, ["inspect", "leaky.pt"])
    assert refused.exit_code == 1
    assert "docs/own-family.md" in refused.stdout
    for name, expected in (
        ("leaky_model:Lekay", "leaky_model has no Lekay"),
        ("nowhere:Leaky", "there is no module nowhere"),
        ("leaky_model", "it must be package.module:Class"),
    ):
        wrong = CliRunner().invoke(app, ["verify", "leaky.pt", "--model-family", name])
        assert (wrong.exit_code, wrong.stdout) == (2, "")
        assert expected in wrong.stderr
        assert wrong.stderr.count("\n") == 1
