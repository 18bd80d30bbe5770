"""The demo runs on the sample data and says what its model is."""

import json
from pathlib import Path

import pandas as pd


def test_demo_ends_with_the_main_job_done(pgf):
    result = pgf("demo")
    assert result.exit_code == 0, result.output
    assert "random weights, seed 0: not trained" in result.stdout
    assert "certificate of exactness: passed" in result.stdout
    assert len(pd.read_csv("pgf-demo/yeast_chrI.csv")) == 230_218
    manifest = json.loads(Path("pgf-demo/yeast_chrI.run.json").read_text())
    assert manifest["records"][0]["soft_masked"] == 29_731
    again = pgf("demo")
    assert again.exit_code == 1
    assert "--force" in again.stderr
