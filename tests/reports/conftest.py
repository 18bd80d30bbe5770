"""Real runs of the sample model, made once: a few kb of random bases in two records, one of them with a long name."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_pages import LONG_NAME, RUNS
from typer.testing import CliRunner, Result

from pgf_cli.cli.app import app

SAMPLE_MODEL = Path(__file__).parents[2] / "sample_data" / "mamba_random.safetensors"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs of RUNS."""
    folder = tmp_path_factory.mktemp("finished")
    draw = random.Random(1)
    records = {"chr1": 2000, LONG_NAME: 1500}
    fasta = folder / "g.fa"
    fasta.write_text("".join(f">{name}\n{''.join(draw.choices('ACGT', k=size))}\n" for name, size in records.items()))
    for name, options in RUNS.items():
        command = ["run", str(fasta), "-m", str(SAMPLE_MODEL), "-o", str(folder / name), "-q", *options]
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of the folder, to be changed."""
    shutil.copytree(finished, tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def tampered(folder: Path) -> Callable[[Callable[[dict[str, Any]], object]], Path]:
    """Change the manifest of the run `both` by a function; returns its path."""

    def change(by: Callable[[dict[str, Any]], object]) -> Path:
        path = folder / "both.run.json"
        manifest = json.loads(path.read_text())
        by(manifest)
        path.write_text(json.dumps(manifest))
        return path

    return change


@pytest.fixture
def report() -> Callable[..., Result]:
    """Call `pgf-sensitivity report`."""

    def call(*arguments: object, **environment: str) -> Result:
        return CliRunner().invoke(app, ["report", *map(str, arguments)], env=environment)

    return call
