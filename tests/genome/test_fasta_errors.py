"""Each kind of wrong input: one line that says what, where and the remedy."""

import bz2
import gzip
import os

import pytest
from Bio import bgzf

from pgf_cli.genome import FastaAccessError, FastaError, Genome, GenomeError


def refusal(path, kind):
    with pytest.raises(kind) as error:
        Genome.open(path)
    assert isinstance(error.value, GenomeError)
    message = str(error.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(str(path))


def test_a_missing_fasta(tmp_path):
    assert refusal(tmp_path / "no.fa", FastaAccessError) == " does not exist; check the path of the FASTA"


def test_a_folder(tmp_path):
    assert "is a folder" in refusal(tmp_path, FastaAccessError)


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.fa")
    assert "is a pipe" in refusal(tmp_path / "pipe.fa", FastaAccessError)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(write_fasta):
    path = write_fasta(">a\nA\n")
    path.chmod(0)
    assert "cannot be read (Permission denied)" in refusal(path, FastaAccessError)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", " is empty;"),
        ("\n\n", " is not FASTA: it has no '>' header line;"),
        ("chrom\tstart\n", " is not FASTA: line 1 comes before any '>' header;"),
        ("; note\n\nACGT\n>a\nA\n", " is not FASTA: line 3 comes before any '>' header;"),
        (b"\x7fELF\x00\x01\xff\xfe", " is not FASTA: line 1 comes"),
        (">a\nA\n>b\nC\n>a\nG\n", " has two records named 'a', in lines 1 and 5;"),
        (">a\nACGT\nAC\nACGT\n", ", line 4: lines of record 'a' differ in length"),
        (">a\nACGT\n>b\nAC\nACGT\n>c\nA\n", ", line 5: lines of record 'b' differ in length"),
        (">a\nACGT\n\nACGT\n", ", line 4: lines of record 'a' differ in length"),
        (">a\nACGT\r\nACGT\nACGT\n", ", line 4: lines of record 'a' differ in length"),
        (">a\nAC\n> \nAC\n", ", line 3: a header without a name;"),
        (">a\nAC\n>b", ", line 3: the file ends within a header"),
        (">a\rACGT\r>b\rGG\r\n", ", line 1: lines end in a bare carriage return"),
        (b">caf\xe9\nACGT\n", ", line 1: the record's name is not UTF-8 text;"),
    ],
)
def test_content_that_is_not_a_fasta_to_look_up(write_fasta, content, complaint):
    assert refusal(write_fasta(content), FastaError).startswith(complaint)


def test_ragged_lines_come_with_the_command_that_mends_them(write_fasta):
    message = refusal(write_fasta(">a\nA\nACGT\n"), FastaError)
    assert message.endswith("re-wrap it: seqkit seq -w 60 genome.fa > rewrapped.fa")


@pytest.mark.parametrize("name", ["genome.fa.gz", "genome.fa"])
def test_plain_gzip_comes_with_the_commands_that_mend_it(write_fasta, name):
    message = refusal(write_fasta(gzip.compress(b">a\nACGT\n"), name), FastaError)
    assert "plain gzip" in message
    assert message.endswith("unpack it (gunzip) or compress it in blocks (gunzip, then bgzip)")


def test_other_compression_is_named(write_fasta):
    assert "compressed with bzip2" in refusal(write_fasta(bz2.compress(b">a\nACGT\n"), "genome.fa.bz2"), FastaError)


def test_a_name_that_does_not_tell_the_compression(write_fasta, tmp_path):
    assert "rename it without .gz" in refusal(write_fasta(">a\nACGT\n", "genome.fa.gz"), FastaError)
    with bgzf.BgzfWriter(tmp_path / "blocks.fa") as file:
        file.write(b">a\nACGT\n")
    assert "rename it to end in .gz" in refusal(tmp_path / "blocks.fa", FastaError)


@pytest.mark.parametrize(("lost", "complaint"), [(28, "lacks the BGZF end mark"), (40, "is damaged")])
def test_a_bgzf_file_cut_short(tmp_path, lost, complaint):
    path = tmp_path / "genome.fa.gz"
    with bgzf.BgzfWriter(path) as file:
        file.write(b">a\n" + b"ACGT" * 50_000 + b"\n")
    path.write_bytes(path.read_bytes()[:-lost])
    assert complaint in refusal(path, FastaError)
