"""Wrong input: one line on stderr that says what, where and what to do; exit code 1 or 2; nothing written."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

RUN = [sys.executable, "-m", "pgf_cli", "run"]


@pytest.fixture
def refused(pgf, genome, checkpoint):
    """Run, expect a refusal, return its one line."""

    def call(*arguments, fasta=None, model=None):
        before = sorted(Path().rglob("*"))
        result = pgf("run", fasta or genome, "--model", model or checkpoint, *arguments)
        assert result.exit_code in (1, 2), result.output
        assert result.stdout == ""
        lines = result.stderr.splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("error: ")
        assert sorted(Path().rglob("*")) == before
        return lines[0]

    return call


@pytest.fixture
def fasta(tmp_path):
    def write(text):
        path = tmp_path / "input.fa"
        path.write_text(text)
        return path

    return write


def test_missing_fasta(refused, tmp_path):
    assert "absent.fa does not exist" in refused(fasta=tmp_path / "absent.fa")


def test_empty_fasta(refused, fasta):
    assert "input.fa" in refused(fasta=fasta(""))


def test_protein_fasta_is_named_as_such(refused, fasta):
    line = refused(fasta=fasta(">P69905\nMVLSPADKTNVKAAWGKVGAHAGEYGAEALERMFLSFPTTKTYFPHFDLSH\n"))
    assert "protein" in line
    assert "P69905" in line


def test_a_letter_that_is_no_nucleotide_is_named_with_its_position(refused, fasta):
    line = refused(fasta=fasta(">a\nACGTACGTAC\nACGTA!GTAC\n"))
    assert "'!'" in line
    assert "16" in line


def test_duplicate_names(refused, fasta):
    assert "twice" in refused(fasta=fasta(">twice\nACGT\n>twice\nACGT\n"))


def test_nothing_but_n(refused, fasta):
    assert "every base that was asked for is N" in refused(fasta=fasta(">a\nNNNNNN\n"))


def test_unknown_contig_names_the_nearest(refused, genome):
    line = refused("--chrom", "chr11")
    assert "chr1" in line
    assert str(genome) in line


def test_1_against_chr1_is_diagnosed(refused):
    line = refused("--region", "1:5-10")
    assert "'1'" in line
    assert "chr1" in line


@pytest.mark.parametrize("region", ["chr1:800-901", "chr1:20-10", "chr1:0-5", "chr1:a-b"])
def test_regions_past_the_end_reversed_or_unreadable(refused, region):
    assert region in refused("--region", region)


def test_missing_checkpoint(refused, tmp_path):
    assert "absent.pt" in refused(model=tmp_path / "absent.pt")


def test_checkpoint_that_is_text(refused, tmp_path):
    path = tmp_path / "notes.pt"
    path.write_text("these are notes\n")
    assert str(path) in refused(model=path)


def test_checkpoint_of_an_unknown_architecture(refused, tmp_path):
    path = tmp_path / "model.pt"
    torch.save({"architecture": "perceptron", "config": {}, "state_dict": {}}, path)
    line = refused(model=path)
    assert "perceptron" in line
    assert "mamba" in line


class Opens:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_a_pickle_that_would_run_code_does_not(refused, tmp_path):
    path, trap = tmp_path / "trap.pt", tmp_path / "sprung"
    torch.save({"architecture": "mamba", "config": Opens(str(trap)), "state_dict": {}}, path)
    assert str(path) in refused(model=path)
    assert not trap.exists()


def opened(checkpoint):
    with safe_open(checkpoint, "pt") as file:
        return load_file(checkpoint), file.metadata()


@pytest.mark.parametrize("change", ["missing", "misshapen"])
def test_a_missing_or_misshapen_tensor_is_named(refused, checkpoint, change):
    tensors, metadata = opened(checkpoint)
    name = "layers.1.mixer.x_proj.weight"
    tensor = tensors.pop(name)
    if change == "misshapen":
        tensors[name] = tensor[:, :-1].contiguous()
    save_file(tensors, checkpoint, metadata)
    assert name in refused()


def test_an_alphabet_without_n_is_refused_only_where_there_is_n(refused, pgf, genome, checkpoint):
    alphabet = "A=0,C=1,G=2,T=3"
    line = refused("--alphabet", alphabet)
    assert "chr1 has 41 N" in line
    assert "--alphabet" in line
    assert pgf("run", genome, "-m", checkpoint, "--alphabet", alphabet, "--chrom", "chr2").exit_code == 0


def test_output_folder_that_does_not_exist(refused):
    assert "does not exist" in refused("-o", "nowhere/prefix")


def test_output_folder_that_cannot_be_written(refused, monkeypatch):
    def deny(self, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "touch", deny)
        assert "Permission denied" in refused()


def test_existing_output_is_kept_without_force_and_replaced_with_it(refused, run):
    track = Path("genome.response.bedgraph")
    track.write_text("mine\n")
    line = refused()
    assert "genome.response.bedgraph exists already" in line
    assert "--force" in line
    assert track.read_text() == "mine\n"
    run("--force")
    assert track.read_text().startswith("chr1\t0\t1\t")


def test_a_score_that_is_no_number_fails_the_run_and_leaves_nothing(pgf, genome, checkpoint):
    tensors, metadata = opened(checkpoint)
    tensors["norm_f.weight"].fill_(3e38)
    save_file(tensors, checkpoint, metadata)
    result = pgf("run", genome, "-m", checkpoint)
    assert result.exit_code == 1
    assert "the response at chr1:1 is nan" in result.stderr.splitlines()[-1]
    assert not list(Path().iterdir())


def test_a_certificate_that_fails_is_a_warning_and_exit_code_3_with_files_written(pgf, genome, checkpoint):
    tensors, metadata = opened(checkpoint)
    # Steps of 1e38 underflow differently in float32 and in float64.
    tensors["layers.0.mixer.dt_proj.bias"].fill_(1e38)
    save_file(tensors, checkpoint, metadata)
    result = pgf("run", genome, "-m", checkpoint, "-q")
    assert result.exit_code == 3
    (line,) = result.stderr.splitlines()
    assert line.startswith("warning: the certificate of exactness failed: float32 against float64")
    assert line.endswith("genome.run.json lists them")
    assert Path("genome.run.json").is_file()


@pytest.mark.parametrize(
    ("option", "value"), [("--tile", "0"), ("--threads", "0"), ("--context", "-1"), ("--device", "tpu")]
)
def test_settings_out_of_range(refused, option, value):
    assert option in refused(option, value)


def test_a_device_that_is_not_there(refused):
    assert "CUDA devices" in refused("--device", "cuda:99")


def test_bigwig_without_its_library_names_what_to_install(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "figwig", None)
    assert "pgf-sensitivity[bigwig]" in refused("-f", "bigwig")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_leaves_no_file_and_exits_with_128_and_the_signal(genome, checkpoint, tmp_path, number):
    long = tmp_path / "long.fa"
    long.write_text(f">long\n{'ACGTTGCATT' * 400_000}\n")
    folder = tmp_path / "interrupted"
    folder.mkdir()
    command = [*RUN, long, "-m", checkpoint, "-o", f"{folder}/", "--mode", "tangent"]  # which writes as it goes
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size for path in folder.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert said.splitlines()[-1].startswith(f"error: interrupted by {number.name}; ")
    assert not list(folder.iterdir())


def test_verbose_shows_the_traceback(pgf, genome, checkpoint):
    result = pgf("run", genome, "-m", checkpoint, "--chrom", "chr7", "-v")
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: ")


def test_report_into_a_closed_pipe_is_no_error(run, pgf):
    run()
    command = f"{sys.executable} -m pgf_cli report genome | head -1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, env=os.environ, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_manifest_is_valid_json_without_nan(run):
    run("--region", "chr1:341-342")
    json.loads(Path("genome.run.json").read_text(), parse_constant=pytest.fail)
