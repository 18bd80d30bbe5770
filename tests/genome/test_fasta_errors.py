"""Each kind of wrong input: one line that says what, where and the remedy."""

import bz2
import gzip
import os
import re
from pathlib import Path

import numpy as np
import pytest
from Bio import bgzf

from pgf_cli.genome import FastaAccessError, FastaError, Genome, GenomeError, LetterError, faidx


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
        (">a\0b\nACGT\n", r", line 1: the record's name 'a\x00b' has control or invisible characters;"),
        (">a\nA\n>b\x1b]52;\x07 d\nACGT\n", r", line 3: the record's name 'b\x1b]52;\x07' has control"),
        (">a\u202eb\nACGT\n", r", line 1: the record's name 'a\u202eb' has control or invisible"),
        (">" + "a" * 1025 + "\nACGT\n", ", line 1: the record's name, the header's first word, has 1,025 bytes;"),
        (">a\nAC\n>b " + "x" * (1 << 20) + "\nAC\n", ", line 3: a header of 1,048,580 bytes; shorten it"),
        (">a\nAC\n" + "\n" * (1 << 20) + ">b\nA\n", ", line 1,048,579: more than 1,048,576 bytes of comments"),
        (">a\nACGT\n".encode("utf-16"), " is UTF-16 text; save it as plain text: iconv"),
        (">a\nACGT\n".encode("utf-16-be"), " is UTF-16 text;"),
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


def write_blocks(path, text):
    with bgzf.BgzfWriter(path) as file:
        file.write(text)
    with path.open("rb") as file:
        return [start for start, *_ in bgzf.BgzfBlocks(file)]


@pytest.mark.parametrize(("lost", "complaint"), [(28, "lacks the BGZF end mark"), (40, "is damaged")])
def test_a_bgzf_file_cut_short(tmp_path, lost, complaint):
    path = tmp_path / "genome.fa.gz"
    write_blocks(path, b">a\n" + b"ACGT" * 50_000 + b"\n")
    path.write_bytes(path.read_bytes()[:-lost])
    assert complaint in refusal(path, FastaError)


@pytest.mark.parametrize(
    ("offset", "complaint"),
    [
        (0, "does not begin as one"),
        (60, "cannot be unpacked|does not match its checksum"),
        (-8, "does not match its checksum"),
        (-4, "does not match its checksum"),
    ],
    ids=["magic", "data", "checksum", "size"],
)
@pytest.mark.parametrize("indexed", [False, True])
def test_a_damaged_block_is_named_by_its_offset_found_at_once_or_when_it_is_read(tmp_path, offset, complaint, indexed):
    path = tmp_path / "genome.fa.gz"
    letters = np.random.default_rng(1).choice(np.frombuffer(b"ACGT", dtype=np.uint8), 250_000).tobytes()
    starts = write_blocks(path, b">a\n" + letters + b"\n")
    if indexed:
        Genome.open(path).close()
    before = path.stat()
    damaged = bytearray(path.read_bytes())
    damaged[starts[2 if offset >= 0 else 3] + offset] ^= 0x55
    path.write_bytes(damaged)
    if not indexed:
        message = refusal(path, FastaError)
        assert message.startswith(" is damaged: ")
    else:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        with Genome.open(path) as genome:
            record = genome.record("a")
            assert record.text(0, 100_000) == letters[:100_000]
            with pytest.raises(FastaError, match=r"record 'a', near position 140,001: the file is damaged") as error:
                record.text(140_000, 140_100)
            assert record.text(240_000, 250_000) == letters[240_000:]
        message = str(error.value)
    assert re.search(rf"the BGZF block at byte {starts[2]:,} ({complaint})", message)
    assert message.rstrip(")").endswith("fetch or compress it again")


def test_a_reads_file_is_no_genome(write_fasta, monkeypatch):
    monkeypatch.setattr(faidx, "MOST_RECORDS", 5)
    Genome.open(write_fasta(">a\nA\n>b\nA\n>c\nA\n>d\nA\n>e\nA\n")).close()
    message = refusal(write_fasta("".join(f">r{n}\nA\n" for n in range(6)), "reads.fa"), FastaError)
    assert message == " has more than 5 records, as files of sequencing reads do; give an assembly"


@pytest.mark.parametrize(("letter", "shown"), [(" ", "letter ' ' is a blank"), ("\t", r"letter '\\t' is a blank")])
def test_blanks_in_the_sequence_are_called_so(write_fasta, letter, shown):
    path = write_fasta(f">a\nACGT{letter}\nACG{letter}{letter}\n")
    with (
        Genome.open(path) as genome,
        pytest.raises(LetterError, match=rf"position 5: {shown} in the sequence") as error,
    ):
        genome.record("a")[:]
    assert str(error.value).endswith("remove blanks: sed '/^>/!s/[[:blank:]]//g' FASTA > clean.fa")


def test_bytes_that_are_no_letters_are_shown_as_bytes(write_fasta):
    with Genome.open(write_fasta(b">a\nAC\xe9T\n")) as genome, pytest.raises(LetterError, match="byte 0xe9 is not"):
        genome.record("a")[:]


def test_a_path_with_a_nul_is_one_line():
    with pytest.raises(FastaAccessError, match="is no path of a file") as error:
        Genome.open("a\0b.fa")
    assert str(error.value).isprintable()


def test_a_character_device_is_refused():
    assert "is a pipe, device or socket" in refusal(Path("/dev/zero"), FastaAccessError)
