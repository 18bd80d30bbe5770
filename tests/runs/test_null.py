"""The null: false discovery rates are those against the peaks of a run over the shuffled record."""

import pytest

from pgf_cli.genome import Genome, OrientedRecord, decode
from pgf_cli.genome.shuffle import Shuffled
from pgf_cli.hits import false_discovery_rates
from pgf_cli.tracks.hit_files import read_hits_tsv


@pytest.mark.parametrize("strand", ["forward", "reverse"])
def test_rates_are_those_against_a_run_over_the_shuffled_record(strand, toy, toy_run, tmp_path):
    options = {"chroms": ("chr1",), "hits": 12, "dtype": "float64"}
    toy_run(tmp_path / "out" / "real", null="shuffle", seed=3, strand=strand, **options)
    with Genome.open(toy / "genome.fa") as genome:
        record = OrientedRecord(genome.record("chr1"), reverse=strand == "reverse")
        letters = decode(Shuffled(record, "chr1", 3)[0 : len(record)])
        assert letters != decode(record[0 : len(record)])
    (toy / "shuffled.fa").write_text(f">chr1\n{letters}\n")
    toy_run(tmp_path / "out" / "null", fasta=toy / "shuffled.fa", **options)
    real, null = (read_hits_tsv(tmp_path / "out" / f"{name}.hits.tsv") for name in ("real", "null"))
    told = []
    for track in ("response", "ghost", "contribution"):
        mine, theirs = ([hit for hit in hits if hit.track == track] for hits in (real, null))
        values, null_values = ([abs(hit.value) for hit in hits] for hits in (mine, theirs))
        expected = false_discovery_rates(values, null_values)
        assert len(mine) > 5
        assert [hit.fdr for hit in mine] == pytest.approx(expected, abs=1e-6)
        told.append(expected != pytest.approx(false_discovery_rates(values, values), abs=1e-3))
    # Otherwise the record itself would do as its null.
    assert any(told)
