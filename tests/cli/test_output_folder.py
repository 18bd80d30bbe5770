"""``-o``: what a folder means, which folders are made, and what a dry run says of them without making any."""

import json
import os
from pathlib import Path

import pytest

from pgf_cli.settings import RunSettings
from pgf_cli.tracks.staging import OutputFolderError, check_outputs, make_folder

QUICK = ("--region", "chr1:1-60", "--mode", "tangent")


@pytest.mark.parametrize("output", ["new/", "new/nested/deeper/", "./new//"])
def test_an_output_that_ends_in_a_slash_makes_its_folder(run, output):
    result = run("-o", output, *QUICK)
    assert (Path(output) / "genome.response.bedgraph").is_file()
    assert json.loads((Path(output) / "genome.run.json").read_text())["settings"]["output"]["value"] == output
    assert "is a folder" not in result.stderr


@pytest.mark.parametrize("output", [".", "there", "there/../there"])
def test_a_folder_that_exists_means_the_same_and_the_run_says_so(run, output):
    Path("there").mkdir()
    result = run("-o", output, *QUICK)
    assert (Path(output) / "genome.response.bedgraph").is_file()
    assert f"{output} is a folder: the outputs are {Path(output) / 'genome'}.*" in result.stderr
    assert "is a folder" in run("-o", output, "--dry-run", "--force", *QUICK).stdout


def test_a_prefix_in_a_folder_that_is_missing_is_refused_and_nothing_is_made(pgf, genome, checkpoint):
    result = pgf("run", genome, "-m", checkpoint, "-o", "missing/prefix", *QUICK)
    assert result.exit_code == 1
    assert "missing does not exist; create it" in result.stderr
    assert not list(Path().iterdir())


def test_a_dry_run_says_that_it_would_make_the_folder_and_makes_none(run):
    result = run("-o", "new/nested/", "--dry-run", *QUICK)
    assert "would make the folder new/nested\n" in result.stdout
    assert "new/nested/genome.response.bedgraph" in result.stdout
    assert not list(Path().iterdir())


def test_a_refused_run_makes_no_folder(pgf, genome, checkpoint):
    assert pgf("run", genome, "-m", checkpoint, "-o", "new/", "--chrom", "chr9").exit_code == 1
    assert not list(Path().iterdir())


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize("output", ["file/", "file/below/"])
def test_a_file_in_the_folders_place_is_named(pgf, genome, checkpoint, output, dry):
    Path("file").write_text("mine")
    result = pgf("run", genome, "-m", checkpoint, "-o", output, *QUICK, *dry)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert f"output folder {Path('file').absolute()}" in line
    assert Path("file").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_made_is_refused_by_the_dry_run_too(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputFolderError, match="is not writable"):
        check_outputs([tmp_path / "new" / "a"], force=False, expected_bytes=0, to_make=tmp_path / "new")
    with pytest.raises(OutputFolderError, match="cannot be made"):
        make_folder(tmp_path / "new")


def test_what_the_system_refuses_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OutputFolderError, match=f"new cannot be made, for {tmp_path} is not writable"):
        check_outputs([tmp_path / "new" / "a"], force=False, expected_bytes=0, to_make=tmp_path / "new")
    with pytest.raises(OutputFolderError, match="cannot be made \\(File name too long\\)"):
        make_folder(tmp_path / ("x" * 300))


def test_settings_say_which_folder_is_to_be_made():
    def folder(output):
        return RunSettings(fasta="a/g.fa", model="m", output=output).folder_to_make

    assert [folder(None), folder("x"), folder("x/y")] == [None, None, None]
    assert (folder("x/"), folder("x/y/")) == (Path("x"), Path("x/y"))
