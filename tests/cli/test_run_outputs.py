"""What `run` writes, read back by other programs' readers and by hand."""

import hashlib
import json
from pathlib import Path

import bioframe
import numpy as np
import pandas as pd
import pybigtools
import pytest
from Bio import SeqIO

from pgf_cli.core.threads import available_threads, set_threads


def bedgraph(path):
    return bioframe.read_table(str(path), schema="bedGraph")


def records(fasta):
    """The FASTA's records by Biopython's reader."""
    with fasta.open() as file:
        return list(SeqIO.parse(file, "fasta"))


@pytest.fixture
def scored_bases(genome):
    """(record, position, letter) of every base that has a score."""
    return [
        (record.id, at, letter)
        for record in records(genome)
        for at, letter in enumerate(str(record.seq).upper().replace("U", "T"))
        if letter in "ACGT"
    ]


def test_bedgraph_has_one_line_per_scored_base_and_none_at_n(run, scored_bases):
    run()
    table = bedgraph("genome.response.bedgraph")
    assert list(zip(table.chrom, table.start, strict=True)) == [base[:2] for base in scored_bases]
    assert (table.end == table.start + 1).all()
    assert (table.value > 0).all()


def test_bedgraph_csv_and_bigwig_agree(run, scored_bases):
    run("-f", "bedgraph", "-f", "csv", "-f", "bigwig")
    values = bedgraph("genome.response.bedgraph").value.to_numpy()
    csv = pd.read_csv("genome.csv")
    assert list(csv.columns) == ["chrom", "start", "end", "base", "response", "ghost", "contribution"]
    assert list(csv.base) == [letter for _, _, letter in scored_bases]
    np.testing.assert_array_equal(csv.response, values)
    with pybigtools.open("genome.response.bw") as bigwig:
        assert dict(bigwig.chroms()) == {"chr1": 900, "chr2": 400}
        stored = np.concatenate([bigwig.values("chr1", fillna=np.nan), bigwig.values("chr2", fillna=np.nan)])
    np.testing.assert_array_equal(stored[~np.isnan(stored)], values.astype(np.float32))
    assert np.isnan(stored[300:340]).all()


def test_a_base_has_the_same_value_whether_its_region_or_its_record_was_asked_for(run, genome):
    run("-o", "whole")
    run("-o", "part", "--region", "chr1:451-470", "--region", "chr1:700-710", "--region", "chr2:1-5")
    whole = set(Path("whole.response.bedgraph").read_text().splitlines())
    part = Path("part.response.bedgraph").read_text().splitlines()
    assert len(part) == 20 + 11 + 5
    assert set(part) <= whole


def test_context_limits_what_is_read_upstream(run, genome, checkpoint, pgf, tmp_path):
    run("-o", "context", "--region", "chr1:411-450", "--context", "30")
    record = records(genome)[0]
    alone = tmp_path / "alone.fa"
    alone.write_text(f">chr1\n{record.seq[380:450]}\n")
    assert pgf("run", alone, "-m", checkpoint).exit_code == 0
    np.testing.assert_allclose(
        bedgraph("context.response.bedgraph").value, bedgraph("alone.response.bedgraph").value[30:], rtol=1e-5
    )


def test_the_number_of_threads_does_not_change_a_byte_of_the_tracks(run):
    for threads in (1, 2, 4):
        run("-o", f"t{threads}", "--threads", threads, "-f", "bedgraph", "-f", "csv", "-f", "bigwig")
    set_threads(available_threads())
    for suffix in ("response.bedgraph", "csv", "response.bw", "hits.tsv"):
        one, two, four = (Path(f"t{threads}.{suffix}").read_bytes() for threads in (1, 2, 4))
        assert one == two == four, suffix


def test_hits_are_the_highest_local_maxima_of_the_track(run):
    run("--hits", "3", "--hit-distance", "40")
    track = bedgraph("genome.response.bedgraph")
    hits = pd.read_csv("genome.hits.tsv", sep="\t")
    for name, group in hits[hits.track == "response"].groupby("chrom"):
        here = track[track.chrom == name].set_index("start").value
        peaks = [at for at, value in here.items() if value == here.loc[at - 40 : at + 40].max()]
        expected = sorted(peaks, key=lambda at: -here[at])[:3]
        assert list(group.start) == expected
        assert list(group.value) == list(here[expected])
        np.testing.assert_allclose(
            group.percentile, [100 * ((here < here[at]).mean() + (here == here[at]).mean() / 2) for at in expected]
        )
        mad = (here - here.median()).abs().median()
        np.testing.assert_allclose(group.robust_z, (here[expected] - here.median()) / (1.4826 * mad), rtol=1e-5)


def test_hits_carry_their_context_and_flags(run, genome):
    run("--hits", "50", "--hit-distance", "5")
    sequence = str(records(genome)[0].seq).upper().replace("U", "T").replace("R", "N")
    hits = pd.read_csv("genome.hits.tsv", sep="\t", keep_default_na=False)
    for _, hit in hits[hits.chrom == "chr1"].iterrows():
        at = hit.start
        assert hit.context == f"{sequence[max(0, at - 10) : at]}[{sequence[at]}]{sequence[at + 1 : at + 11]}"
        expected = {"sequence_start"} if at < 5 else set()
        if "N" in sequence[max(0, at - 5) : at + 6]:
            expected.add("beside_N")
        assert set(hit["flags"].split(",")) - {"NA"} == expected
    bed = bioframe.read_table("genome.hits.bed", schema="bed6")
    assert sorted(zip(bed.chrom, bed.start, strict=True)) == sorted(zip(hits.chrom, hits.start, strict=True))
    assert bed.score.between(0, 1000).all()


def test_regions_tsv_accounts_for_every_row_asked_for(run, tmp_path):
    bed = tmp_path / "asked.bed"
    bed.write_text("chr1\t290\t350\tgap\nchr9\t0\t10\tnowhere\nchr1\t595\t605\tletters\nchr2\t390\t999\tpast\n")
    result = run("--regions", bed)
    assert "2 of 4 regions are dropped" in result.stderr
    rows = pd.read_csv("genome.regions.tsv", sep="\t").set_index("name")
    assert list(rows.index) == ["gap", "nowhere", "letters", "past"]
    assert list(rows.status) == ["kept", "dropped", "kept", "dropped"]
    assert rows.loc["gap", ["bases_scored", "n", "iupac"]].tolist() == [20, 40, 0]
    assert rows.loc["letters", ["bases_scored", "n", "iupac"]].tolist() == [9, 1, 1]
    assert "chr9" in rows.reason["nowhere"]
    assert "400" in rows.reason["past"]


def test_manifest_records_settings_inputs_outputs_and_the_certificate(run, genome):
    run("--tile", "100", "-f", "csv", PGF_HITS="7")
    manifest = json.loads(Path("genome.run.json").read_text())
    settings = manifest["settings"]
    assert settings["tile"] == {"value": 100, "source": "command line"}
    assert settings["hits"] == {"value": 7, "source": "environment"}
    assert settings["dtype"] == {"value": "float32", "source": "default"}
    for entry in [*manifest["inputs"], *manifest["outputs"]]:
        data = Path(entry["path"]).read_bytes()
        assert (entry["bytes"], entry["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert manifest["inputs"][0]["path"] == str(genome)
    assert manifest["certificate"]["passed"]
    first, second = manifest["records"]
    assert (first["scored"], first["n"], first["iupac"], first["soft_masked"]) == (859, 40, 1, 20)
    assert second["tracks"]["response"]["maximum"] > second["tracks"]["response"]["median"] > 0
    assert not list(Path().glob("*.partial"))


def test_chrom_sizes_lists_every_record(run):
    run("--chrom", "chr2")
    assert Path("genome.chrom.sizes").read_text() == "chr1\t900\nchr2\t400\n"


def test_track_line_is_the_first_line_when_asked_for(run):
    run("--track-line")
    first, second = Path("genome.response.bedgraph").read_text().splitlines()[:2]
    assert first.startswith("track type=bedGraph ")
    assert second.startswith("chr1\t0\t1\t")


def test_output_layers_differ_and_logits_are_those_of_every_head_row(run):
    for layer in ("logprobs", "logits", "hidden"):
        run("-o", layer, "--output-layer", layer)
    tracks = [bedgraph(f"{layer}.response.bedgraph").value.to_numpy() for layer in ("logprobs", "logits", "hidden")]
    assert not np.allclose(tracks[0], tracks[1])
    assert not np.allclose(tracks[1], tracks[2])
