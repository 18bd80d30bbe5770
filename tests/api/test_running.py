"""Runs from Python: the command's files, tracks and hits as data frames, errors in terms of arguments."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import pgf_cli
from pgf_cli.cli.app import app

MODEL = pgf_cli.sample_data() / "mamba_arabidopsis.safetensors"


@pytest.fixture(scope="module")
def fasta(tmp_path_factory):
    path = tmp_path_factory.mktemp("api") / "small.fa"
    text = "".join((pgf_cli.sample_data() / "yeast_chrI.fa").read_text().splitlines()[1:31])
    path.write_text(f">one\n{text[:1500]}NN\n>two\n{text[1500:2100]}\n")
    return path


def test_files_are_those_of_the_command(fasta, tmp_path):
    settings = pgf_cli.RunSettings(
        fasta=fasta, model=MODEL, output=tmp_path / "py", formats=["bedgraph", "csv"], ghost_distance=100
    )
    run = pgf_cli.run(settings)
    arguments = ["run", str(fasta), "-m", str(MODEL), "-o", str(tmp_path / "sh"), "-f", "bedgraph", "-f", "csv", "-q"]
    assert CliRunner().invoke(app, [*arguments, "--ghost-distance", "100"]).exit_code == 0
    ours = {path.name.removeprefix("py"): path for path in run.files.values()}
    assert len(ours) == 9
    for suffix, path in ours.items():
        if suffix != ".run.json":
            assert path.read_bytes() == (tmp_path / f"sh{suffix}").read_bytes()
    assert {entry.path: entry.sha256 for entry in run.manifest.outputs} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in ours.values() if path.suffix != ".json"
    }


@pytest.mark.parametrize("track_format", ["bedgraph", "csv", "bigwig"])
def test_tracks_and_hits_are_data_frames(fasta, track_format, tmp_path):
    settings = pgf_cli.RunSettings(
        fasta=fasta, model=MODEL, output=tmp_path / "x", formats=[track_format], mode="adjoint", track_line=True
    )
    run = pgf_cli.run(settings)
    assert list(run.tracks) == ["contribution"]
    track = run.tracks["contribution"]
    assert list(track.columns) == ["chrom", "start", "end", "value"]
    with pgf_cli.open_genome(fasta) as genome:
        for name in ("one", "two"):
            values = pgf_cli.sensitivity(str(MODEL), genome[name], mode="adjoint").contribution
            here = track[track["chrom"] == name]
            scored = ~np.isnan(values)
            assert list(here["start"]) == list(np.flatnonzero(scored))
            np.testing.assert_array_equal(here["value"].to_numpy().astype(np.float32), values[scored])
    assert isinstance(run.hits, pd.DataFrame)
    assert set(run.hits["track"]) == {"contribution"}
    with pytest.raises(KeyError, match="response"):
        run.tracks["response"]


def test_errors_speak_of_arguments(fasta, tmp_path):
    settings = pgf_cli.RunSettings(fasta=fasta, model=MODEL, output=tmp_path / "x", mode="adjoint")
    pgf_cli.run(settings)
    with pytest.raises(pgf_cli.PgfError, match="force=True"):
        pgf_cli.run(settings)
    with pytest.raises(pgf_cli.PgfError, match="tile is 0"):
        pgf_cli.RunSettings(fasta=fasta, model=MODEL, tile=0)
