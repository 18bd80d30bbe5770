"""What is read from a FASTA, plain and bgzipped, against an independent reader: pyfaidx."""

import numpy as np
import pyfaidx
import pytest
from Bio import bgzf

from pgf_cli.genome import Genome


@pytest.fixture(params=["plain", "bgzip"])
def fasta(request, tmp_path):
    letters = np.random.default_rng(3)
    records = [("one", 61), ("two|x", 1), ("three", 70_000), ("four", 140)]
    text = "".join(
        f">{name} some words\n"
        + "\n".join("".join(letters.choice(list("ACGTNacgtnRY"), min(60, size - at))) for at in range(0, size, 60))
        + "\n"
        for name, size in records
    )
    path = tmp_path / "g.fa"
    if request.param == "plain":
        path.write_text(text)
        return path
    compressed = path.with_suffix(".fa.gz")
    with bgzf.BgzfWriter(str(compressed)) as file:
        file.write(text)
    return compressed


def test_records_lengths_and_letters_are_those_of_pyfaidx(fasta, tmp_path):
    copy = tmp_path / "theirs" / fasta.name
    copy.parent.mkdir()
    copy.write_bytes(fasta.read_bytes())
    theirs = pyfaidx.Fasta(str(copy), as_raw=True)
    with Genome.open(fasta) as ours:
        assert ours.lengths == {name: len(theirs[name]) for name in theirs.keys()}  # noqa: SIM118  no mapping
        for name, length in ours.lengths.items():
            for start, end in ((0, length), (length // 3, 2 * length // 3), (max(0, length - 1), length)):
                assert ours.record(name).text(start, end).decode() == str(theirs[name][start:end])
    theirs.close()
