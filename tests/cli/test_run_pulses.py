"""Pulses, ghosts, random directions, nulls and the other strand, from the command line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from Bio import SeqIO
from Bio.Seq import Seq

from pgf_cli.core.models import FrechetConfig, FrechetModel


def track(path):
    return pd.read_csv(path, sep="\t", header=None, names=["chrom", "start", "end", "value"])


def hits(path):
    return pd.read_csv(path, sep="\t", keep_default_na=False)


def records(fasta):
    with fasta.open() as file:
        return {record.id: str(record.seq).upper().replace("U", "T") for record in SeqIO.parse(file, "fasta")}


def test_a_pulse_run_is_zero_before_the_pulse_and_covers_only_its_record(run):
    run("--pulse", "chr1:101", "--ghost-distance", "50")
    response, ghost = track("genome.response.bedgraph"), track("genome.ghost.bedgraph")
    assert set(response.chrom) == {"chr1"}
    assert (response.value[response.start < 100] == 0).all()
    assert response.value[response.start == 100].item() > 0
    expected = np.where(response.start - 100 >= 50, response.value, 0)
    np.testing.assert_array_equal(ghost.value, expected)


def test_hits_of_a_pulse_run_carry_their_pulse_lag_and_statistics_over_nonzero_bases(run):
    run("--mode", "tangent", "--pulse", "chr1:701", "--pulse", "chr1:101", "--hits", "5", "--ghost-distance", "0")
    response, table = track("genome.response.bedgraph").set_index("start").value, hits("genome.hits.tsv")
    assert set(table.pulse) <= {"chr1:101", "chr1:701"}
    nonzero = response[response != 0]
    for _, hit in table.iterrows():
        pulse = 700 if hit.start >= 700 else 100
        assert (hit.pulse, int(hit.lag)) == (f"chr1:{pulse + 1}", hit.start - pulse)
        below = (nonzero < hit.value).mean() + (nonzero == hit.value).mean() / 2
        assert float(hit.percentile) == pytest.approx(100 * below)


def test_separate_pulses_get_a_track_each_equal_to_a_run_of_their_own(run, genome):
    ref = records(genome)["chr1"][399]
    alt = "ACGT"["ACGT".index(ref) - 1]
    run(
        "-o",
        "both",
        "--pulse",
        "chr1:101",
        "--pulse",
        f"chr1:400:{alt}",
        "--pulse",
        "chr2:7",
        "--separate",
        "--mode",
        "tangent",
    )
    run("-o", "one", "--pulse", f"chr1:400:{alt}")
    assert set(track("both.response.chr2_7.bedgraph").chrom) == {"chr2"}
    one, both = track("one.response.bedgraph"), track(f"both.response.chr1_400_{alt}.bedgraph")
    assert one.start.equals(both.start)
    np.testing.assert_allclose(both.value, one.value, rtol=1e-4, atol=1e-12)
    assert sorted(set(hits("both.hits.tsv").track)) == sorted(
        f"{kind}.{label}" for kind in ("response",) for label in ("chr1_101", f"chr1_400_{alt}", "chr2_7")
    )


def test_repeated_pulses_add_up(run):
    for name, positions in (("ab", (101, 300)), ("a", (101,)), ("b", (300,))):
        run("-o", name, *[word for at in positions for word in ("--pulse", f"chr1:{at}")], "--region", "chr1:450-500")
    both = track("ab.response.bedgraph").value
    upper = track("a.response.bedgraph").value + track("b.response.bedgraph").value
    # A norm of a sum: at most the sum of the norms, and not less than their difference.
    assert (both <= upper * (1 + 1e-5)).all()
    assert not np.allclose(both, upper, rtol=1e-6)


def test_a_bed_of_pulses_is_the_same_as_naming_them(run, tmp_path):
    bed = tmp_path / "pulses.bed"
    bed.write_text("chr1\t100\t102\n")
    run("-o", "bed", "--pulses", bed)
    run("-o", "named", "--pulse", "chr1:101", "--pulse", "chr1:102")
    assert Path("bed.response.bedgraph").read_bytes() == Path("named.response.bedgraph").read_bytes()


def test_the_ghost_track_of_the_contrast_is_zero_in_the_first_two_blocks_and_less_than_the_response(run):
    printed = run("--ghost-distance", "100").stdout
    response, ghost = track("genome.response.bedgraph"), track("genome.ghost.bedgraph")
    assert (ghost.value[ghost.start < 200] == 0).all()
    assert (ghost.value[ghost.start >= 200] > 0).all()
    assert (ghost.value < response.value).all()
    assert "ghost pulses: the" in printed
    ghosts = {
        (record["name"], name): entry
        for record in json.loads(Path("genome.run.json").read_text())["records"]
        for name, entry in record["ghosts"].items()
    }
    table = hits("genome.hits.tsv")
    called = table[table.track == "ghost"]
    assert len(ghosts) == len(called) > 0
    response = response.set_index(["chrom", "start"]).value
    for _, hit in called.iterrows():
        entry = ghosts[hit.chrom, hit["name"]]
        assert entry["share"] == pytest.approx(hit.value / response[hit.chrom, hit.start], rel=1e-5)
        # The newest base that counts ends the block before the previous one.
        newest = (hit.start // 100 - 1) * 100 - 1
        assert entry["upstream"] == hit.start - newest
        assert 100 < entry["upstream"] <= 200


def test_random_directions_are_seeded_and_averaged(run):
    run("-o", "r0", "--direction", "random:3")
    run("-o", "r0again", "--direction", "random:3", "--tile", "50", "--dtype", "float64")
    run("-o", "r1", "--direction", "random:3", "--seed", "1")
    first, again, other = (track(f"{name}.response.bedgraph").value for name in ("r0", "r0again", "r1"))
    np.testing.assert_allclose(first, again, rtol=1e-4)
    assert not np.allclose(first, other, rtol=1e-2)


def test_null_shuffle_gives_every_hit_a_false_discovery_rate(run):
    printed = run("--null", "shuffle", "--hits", "10").stdout
    table = hits("genome.hits.tsv")
    for _, group in table.groupby(["chrom", "track"]):
        rates = group.fdr.astype(float).to_numpy()
        assert ((rates >= 0) & (rates <= 1)).all()
        assert (np.diff(rates) >= 0).all()
    assert "FDR" in printed
    run("-o", "again", "--null", "shuffle", "--hits", "10")
    assert Path("again.hits.tsv").read_bytes() == Path("genome.hits.tsv").read_bytes()


@pytest.mark.parametrize("options", [(), ("--region", "chr1:201-420", "--region", "chr1:800-850", "--context", "90")])
def test_the_reverse_strand_is_the_forward_run_of_the_reverse_complement_mirrored(
    run, pgf, genome, checkpoint, options
):
    mirrored = genome.with_name("mirrored.fa")
    sequences = records(genome)
    mirrored.write_text("".join(f">{name}\n{Seq(text).reverse_complement()}\n" for name, text in sequences.items()))
    run("-o", "reverse", "--strand", "reverse", "--ghost-distance", "80", *options)
    flipped = [
        "chr1:481-700" if word == "chr1:201-420" else "chr1:51-101" if word == "chr1:800-850" else word
        for word in options
    ]
    assert pgf("run", mirrored, "-m", checkpoint, "--ghost-distance", "80", *flipped).exit_code == 0
    for kind in ("response", "ghost"):
        reverse, forward = track(f"reverse.{kind}.bedgraph"), track(f"mirrored.{kind}.bedgraph")
        lengths = forward.chrom.map({name: len(text) for name, text in sequences.items()})
        forward["start"] = lengths - forward.end
        expected = forward.sort_values(["chrom", "start"]).reset_index(drop=True)
        assert expected.start.equals(reverse.start)
        assert expected.value.equals(reverse.value)
    there, here = (hits(f"{name}.hits.tsv") for name in ("mirrored", "reverse"))
    lengths = there.chrom.map({name: len(text) for name, text in sequences.items()})
    assert list(lengths - there.end) == list(here.start)
    same = ["chrom", "name", "value", "percentile", "robust_z", "flags", "context"]
    assert there[same].equals(here[same])


def test_pulses_on_the_reverse_strand_act_to_the_left(run):
    run("--mode", "tangent", "--strand", "reverse", "--pulse", "chr1:701", "--ghost-distance", "0")
    response = track("genome.response.bedgraph")
    assert (response.value[response.start > 700] == 0).all()
    assert (response.value[response.start <= 700] > 0).all()
    table = hits("genome.hits.tsv")
    assert list(table.lag.astype(int)) == list(700 - table.start)


def test_hugging_face_and_mamba_ssm_layouts_of_the_same_weights_give_identical_bytes(pgf, genome, tmp_path):
    from transformers import MambaConfig, MambaForCausalLM

    torch.manual_seed(0)
    model = MambaForCausalLM(MambaConfig(vocab_size=8, hidden_size=8, state_size=4, num_hidden_layers=2, expand=2))
    model.save_pretrained(tmp_path / "hf")
    ssm = tmp_path / "ssm"
    ssm.mkdir()
    config = {"d_model": 8, "n_layer": 2, "vocab_size": 8, "ssm_cfg": {"d_state": 4}, "rms_norm": True}
    (ssm / "config.json").write_text(json.dumps(config))
    weights = {name.replace("embeddings", "embedding"): tensor for name, tensor in model.state_dict().items()}
    torch.save(weights, ssm / "pytorch_model.bin")
    for layout in ("hf", "ssm"):
        arguments = ("-m", tmp_path / layout, "--alphabet", "A=0,C=1,G=2,T=3,N=4", "-o", layout)
        assert pgf("run", genome, *arguments).exit_code == 0
    for suffix in ("response.bedgraph", "ghost.bedgraph", "hits.tsv"):
        assert Path(f"hf.{suffix}").read_bytes() == Path(f"ssm.{suffix}").read_bytes()


def test_the_paper_s_pulse_experiment_at_128_000_bases(pgf, tmp_path):
    # D 256, N 16, A_log -4, inputs of size 0.01, the pulse at 0.8 L (Figure 4 of the paper).
    torch.manual_seed(0)
    config = FrechetConfig(d_model=256, d_state=16, window=3, embedded=True)
    weights = FrechetModel(config).state_dict()
    weights["A_log"].fill_(-4.0)
    weights["embed.weight"].normal_(0, 0.01)
    torch.save(weights, tmp_path / "operator.pt")
    letters = np.random.default_rng(0).choice(list("ACGT"), 128_000)
    (tmp_path / "long.fa").write_text(f">long\n{''.join(letters)}\n")
    result = pgf("run", tmp_path / "long.fa", "-m", tmp_path / "operator.pt", "--pulse", "long:102,400")
    assert result.exit_code == 0, result.output
    response = track("long.response.bedgraph")
    assert (response.value[:102_399] == 0).all()
    best = hits("long.hits.tsv").iloc[0]
    assert (best.start, int(best.lag), best.pulse) == (102_399, 0, "long:102400")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--pulse", "chr1:310"], "the base there is N"),
        (["--pulse", "chr1:5000"], "lies outside"),
        (["--pulse", "chr1:800", "--region", "chr1:1-100"], "can reach nothing that is written"),
        (["--pulse", "chr1:80", "--chrom", "chr1", "--chrom", "chr2"], "no pulse is on chr2"),
        (["--pulse", "chr1:80", "--null", "shuffle"], "--null shuffle"),
        (["--pulse", "chr1:80", "--direction", "random"], "exclude each other"),
        (["--pulse", "chr1:80", "--pulse", "chr1:80", "--separate"], "given twice"),
        (["--separate"], "--separate needs pulses"),
        (["--direction", "random:0"], "it must be contrast, random or random:K (K from 1 to 1,024)"),
        (["--direction", "sideways"], "'sideways'; it must be contrast, random or random:K"),
        (["--ghost-distance", "-1"], "--ghost-distance"),
        (["--pulse", "chr1:9", "--pulse", "chr2:9", "--separate", "-f", "csv"], "CSV of one record only"),
    ],
)
def test_pulses_that_make_no_sense_are_refused_in_one_line(pgf, genome, checkpoint, options, said):
    result = pgf("run", genome, "-m", checkpoint, *options)
    assert result.exit_code in (1, 2)
    (line,) = result.stderr.splitlines()
    assert said in line
    assert not list(Path().iterdir())


def test_a_variant_to_the_base_that_is_there_is_refused(pgf, genome, checkpoint):
    ref = records(genome)["chr1"][49]
    result = pgf("run", genome, "-m", checkpoint, "--pulse", f"chr1:50:{ref}")
    assert f"the base there is {ref} already" in result.stderr
