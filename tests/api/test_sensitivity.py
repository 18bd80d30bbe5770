"""Sensitivities in memory: the numbers that the command writes, to the byte, and errors in terms of arguments."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import pgf_cli
from pgf_cli.cli.app import app

MODEL = "mamba_arabidopsis.safetensors"


@pytest.fixture(scope="module")
def model():
    return pgf_cli.load_model(pgf_cli.sample_data() / MODEL)


@pytest.fixture(scope="module")
def letters():
    text = "".join((pgf_cli.sample_data() / "yeast_chrI.fa").read_text().splitlines()[1:41]).upper()
    return text[:1200] + "NNNNR" + text[1200:]


def command(letters, folder, *options):
    """The tracks that the command writes for one record, (L,) each, NaN where it writes none."""
    fasta = folder / "one.fa"
    fasta.write_text(f">one\n{letters}\n")
    arguments = [
        "run",
        str(fasta),
        "-m",
        str(pgf_cli.sample_data() / MODEL),
        "-o",
        str(folder / "x"),
        "-f",
        "csv",
        "-q",
    ]
    result = CliRunner().invoke(app, [*arguments, *options])
    assert result.exit_code == 0, result.output
    table = pd.read_csv(folder / "x.csv")
    tracks = {}
    for name in table.columns[4:]:
        tracks[name] = np.full(len(letters), np.nan, np.float32)
        tracks[name][table["start"]] = table[name]
    return tracks


@pytest.mark.parametrize("strand", ["forward", "reverse"])
def test_numbers_are_those_of_the_command_to_the_byte(model, letters, strand, tmp_path):
    written = command(letters, tmp_path, "--strand", strand)
    s = pgf_cli.sensitivity(model, letters, strand=strand)
    for name in ("response", "ghost", "contribution"):
        assert getattr(s, name).tobytes() == written[name].tobytes(), name


def test_both_strands_and_their_mean_are_those_of_the_command(model, letters, tmp_path):
    letters = letters[:700]
    both, average = (
        pgf_cli.sensitivity(model, letters, strand=strand, ghost_distance=90) for strand in ("both", "average")
    )
    written = command(letters, tmp_path, "--strand", "both", "--ghost-distance", "90")
    (tmp_path / "mean").mkdir()
    means = command(letters, tmp_path / "mean", "--strand", "average", "--ghost-distance", "90")
    assert both.reverse.reverse is None
    for name in ("response", "ghost", "contribution"):
        assert getattr(both, name).tobytes() == written[f"{name}.forward"].tobytes()
        assert getattr(both.reverse, name).tobytes() == written[f"{name}.reverse"].tobytes()
        assert getattr(average, name).tobytes() == means[name].tobytes()
    assert list(both.to_dataframe().columns[4:]) == list(written)
    np.testing.assert_array_equal(
        average.gradient, ((both.gradient.astype(np.float64) + both.reverse.gradient) / 2).astype(np.float32)
    )
    assert average.objective == (both.objective + both.reverse.objective) / 2
    assert average.logprobs is None
    assert average.reverse is None
    with pytest.raises(pgf_cli.PgfError, match=r'strand="average" is for whole directions.*strand="both"'):
        pgf_cli.sensitivity(model, letters, strand="average", pulses=[3])


def test_pulses_targets_and_one_mode_are_those_of_the_command(model, letters, tmp_path):
    written = command(letters, tmp_path, "--mode", "tangent", "--pulse", "one:301:A", "--pulse", "one:1,401")
    s = pgf_cli.sensitivity(model, letters, mode="tangent", pulses=[(300, "A"), 1400])
    assert s.response.tobytes() == written["response"].tobytes()
    assert s.ghost.tobytes() == written["ghost"].tobytes()
    assert s.contribution is None
    assert s.gradient is None


def test_targets_are_half_open_and_count_from_0(model, letters, tmp_path):
    written = command(letters, tmp_path, "--mode", "adjoint", "--target", "one:101-200")
    s = pgf_cli.sensitivity(model, letters, mode="adjoint", targets=[(100, 200)])
    assert s.contribution.tobytes() == written["contribution"].tobytes()
    assert s.response is None


def test_reverse_is_the_forward_reading_of_the_reverse_complement(model, letters):
    there = pgf_cli.sensitivity(model, letters, strand="reverse")
    turned = letters.translate(str.maketrans("ACGTNR", "TGCANY"))[::-1]
    here = pgf_cli.sensitivity(model, turned)
    np.testing.assert_array_equal(there.response, here.response[::-1])
    np.testing.assert_array_equal(there.gradient, here.gradient[::-1, ::-1])
    np.testing.assert_array_equal(there.logprobs, here.logprobs[::-1, ::-1])


def test_letters_codes_and_bases_of_a_genome_are_one_thing(model, tmp_path):
    fasta = tmp_path / "g.fa"
    fasta.write_text(">chr1 first\nTTTTTACGTNACGGT\n>chr2\nACG\n")
    with pgf_cli.open_genome(fasta) as genome:
        sliced = genome["chr1"][5:15]
        by_slice = pgf_cli.sensitivity(model, sliced, ghost_distance=0)
    by_letters = pgf_cli.sensitivity(model, "ACGTNACGGT", ghost_distance=0)
    by_codes = pgf_cli.sensitivity(model, np.array([0, 1, 2, 3, 4, 0, 1, 2, 2, 3]), ghost_distance=0)
    for s in (by_slice, by_codes):
        np.testing.assert_array_equal(s.contribution, by_letters.contribution)
        np.testing.assert_array_equal(s.codes, by_letters.codes)
    frame = by_slice.to_dataframe()
    assert list(frame.columns) == ["chrom", "start", "end", "base", "response", "contribution"]
    assert list(frame["start"]) == list(range(5, 15))
    assert "".join(frame["base"]) == "ACGTNACGGT"
    assert set(frame["chrom"]) == {"chr1"}
    assert frame["response"].isna().sum() == 1


def test_the_certificate_is_of_this_model_and_sequence(model, letters):
    certificate = pgf_cli.sensitivity(model, letters, ghost_distance=0).certificate
    assert certificate.passed
    assert certificate.probe_bases == 256


def test_threads_of_torch_are_left_as_they_were(model):
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        pgf_cli.sensitivity(model, "ACGTACGT", ghost_distance=0)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("sequence", "options", "says"),
    [
        ("ACGZ", {}, "position 4: letter 'Z'"),
        ("", {}, "no bases"),
        ([0, 1], {}, "sequence is a list"),
        (np.array([0.5]), {}, "float64"),
        (np.array([0, 7]), {}, "code 7 at 1"),
        ("ACGT", {"mode": "backwards"}, "mode='backwards'"),
        ("ACGT", {"strand": "template"}, "strand='template'"),
        ("ACGT", {"objective": "logit:Q"}, 'objective="logit:Q"'),
        ("ACGT", {"objective": "likely"}, "objective"),
        ("ACGT", {"targets": [(2, 9)]}, "targets: (2, 9)"),
        ("ACGT", {"targets": [(3, 3)]}, "targets: (3, 3)"),
        ("ACGT", {"pulses": [4]}, "pulses: 4 lies outside"),
        ("ACNT", {"pulses": [2]}, "base there is N"),
        ("ACGT", {"pulses": [(1, "Z")]}, "ALT"),
        ("ACGT", {"direction": "random:0"}, "direction='random:0'"),
        ("ACGT", {"direction": "random", "pulses": [1]}, "exclude"),
    ],
)
def test_errors_speak_of_arguments(model, sequence, options, says):
    with pytest.raises(pgf_cli.PgfError) as caught:
        pgf_cli.sensitivity(model, sequence, **options)
    assert says in str(caught.value)
    assert "--" not in str(caught.value)
