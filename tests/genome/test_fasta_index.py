"""The index: right (by hand, in samtools' format), atomic, renewed when stale, elsewhere when it must be."""

import gzip
import io
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from Bio import bgzf

from pgf_cli.genome import FastaAccessError, Genome, decode, faidx
from pgf_cli.genome import index as index_module

TWO_RECORDS = ">one first\nACGTA\nCGTAC\nG\n>two\nTTTT\n"
TWO_ROWS = "one\t11\t11\t5\t6\ntwo\t4\t30\t4\t5\n"


def read(path, name):
    with Genome.open(path) as genome:
        return decode(genome.record(name)[:])


def test_the_index_is_what_samtools_faidx_defines(write_fasta):
    path = write_fasta(TWO_RECORDS)
    Genome.open(path).close()
    assert path.with_name("genome.fa.fai").read_text() == TWO_ROWS


@pytest.mark.parametrize("piece", [1, 2, 3, 7])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_lines_longer_than_what_is_read_at_once_are_measured_right(monkeypatch, piece, line_end):
    text = TWO_RECORDS.replace("\n", line_end).encode()
    whole = faidx.scan(io.BytesIO(text), Path("x.fa"))
    assert [(row.name, row.length, row.line_bases) for row in whole] == [("one", 11, 5), ("two", 4, 4)]
    monkeypatch.setattr(faidx, "_PIECE", piece)
    monkeypatch.setattr(faidx, "_name", lambda header, path: {1: "one", 5: "two"}[header.number])
    assert faidx.scan(io.BytesIO(text), Path("x.fa")) == whole


def test_comments_before_and_blank_lines_after_the_records_are_accepted(write_fasta):
    path = write_fasta("; made by hand\n\n>one\nACGT\nAC\n\n\n")
    assert read(path, "one") == "ACGTAC"
    assert index_survives_opening(path)


def test_an_index_that_fits_is_left_alone(write_fasta):
    path = write_fasta(TWO_RECORDS)
    Genome.open(path).close()
    assert index_survives_opening(path)


def test_an_index_from_samtools_beside_the_file_is_used(write_fasta):
    path = write_fasta(TWO_RECORDS)
    path.with_name("genome.fa.fai").write_text(TWO_ROWS)
    assert index_survives_opening(path)


def test_a_file_dated_in_the_future_is_indexed_once(write_fasta):
    path = write_fasta(TWO_RECORDS)
    tomorrow = time.time() + 86_400
    os.utime(path, (tomorrow, tomorrow))
    Genome.open(path).close()
    assert index_survives_opening(path)


def test_a_fasta_newer_than_its_index_is_indexed_again(write_fasta):
    path = write_fasta(">one\nACGT\nAC\n")
    Genome.open(path).close()
    path.write_text(">one\nACG\nTAC\n")
    later = path.with_name("genome.fa.fai").stat().st_mtime + 10
    os.utime(path, (later, later))
    assert read(path, "one") == "ACGTAC"


@pytest.mark.parametrize(
    "replacement", [">one\nACGTAC\n", ">one first\nACGTA\nCGTAC\n", ">other\nAC\n", TWO_RECORDS + ">three\nGG\n"]
)
def test_a_changed_fasta_is_noticed_even_under_a_newer_index(write_fasta, replacement):
    path = write_fasta(TWO_RECORDS)
    Genome.open(path).close()
    path.write_text(replacement)
    long_ago = time.time() - 86_400
    os.utime(path, (long_ago, long_ago))
    with Genome.open(path) as genome:
        assert genome.names == tuple(line.split()[0][1:] for line in replacement.splitlines() if line[0] == ">")
        assert sum(genome.lengths.values()) == sum(len(x) for x in replacement.splitlines() if x[0] != ">")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "garbage\n",
        "one\t11\t11\n",
        "one\t11\t11\t0\t0\n",
        "one\tx\t11\t5\t6\n",
        TWO_ROWS.replace("one\t11", "one\t12"),
        TWO_ROWS.replace("one\t11\t11", "one\t11\t" + "9" * 5000),
        TWO_ROWS.replace("one\t11\t11", f"one\t11\t{10**30}"),
        TWO_ROWS.replace("5\t6\n", "5\t6\t7\n"),
        TWO_ROWS.replace("5\t6\n", f"5\t{10**15}\n"),
        TWO_ROWS.replace("\t", "\t-"),
        TWO_ROWS + TWO_ROWS,
        b"caf\xe9\t11\t11\t5\t6\ntwo\t4\t30\t4\t5\n",
        TWO_ROWS.encode("utf-16"),
        bytes(1000),
    ],
)
def test_an_index_that_cannot_be_read_is_replaced(write_fasta, content):
    path = write_fasta(TWO_RECORDS)
    index = path.with_name("genome.fa.fai")
    index.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert read(path, "two") == "TTTT"
    assert index.read_text() == TWO_ROWS


def test_a_record_that_samtools_left_out_as_a_duplicate_is_not_lost_silently(write_fasta):
    path = write_fasta(">one\nACGT\n>one\nGG\n>two\nTT\n")
    path.with_name("genome.fa.fai").write_text("one\t4\t5\t4\t5\ntwo\t2\t23\t2\t3\n")
    with pytest.raises(ValueError, match="two records named 'one'"):
        Genome.open(path)


def test_a_fasta_that_cannot_be_indexed_leaves_nothing_behind(write_fasta, tmp_path):
    with pytest.raises(ValueError, match="differ in length"):
        Genome.open(write_fasta(">one\nAC\nACGT\n"))
    assert [file.name for file in tmp_path.iterdir()] == ["genome.fa"]


@pytest.fixture
def unwritable(write_fasta):
    """Name a FASTA through a folder in which nobody, not even root, can create files."""
    descriptor = os.open(write_fasta(TWO_RECORDS), os.O_RDONLY)
    yield Path(f"/dev/fd/{descriptor}")
    os.close(descriptor)


def test_the_index_goes_to_the_cache_when_the_folder_is_read_only(unwritable, cache_home):
    assert read(unwritable, "two") == "TTTT"
    (index,) = (cache_home / "pgf-sensitivity" / "indexes").iterdir()
    assert index.read_text() == TWO_ROWS
    before = index.stat().st_ino
    assert read(unwritable, "one") == "ACGTACGTACG"
    assert index.stat().st_ino == before


def test_nowhere_to_write_is_one_line_with_the_remedy(unwritable, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/cache")
    with pytest.raises(FastaAccessError, match=r"/dev/fd/\d+ cannot be indexed \(.*\); set XDG_CACHE_HOME") as error:
        Genome.open(unwritable)
    assert isinstance(error.value, OSError)


@pytest.mark.parametrize("name", ["genome.fa", "genome.fa.gz"])
def test_four_processes_at_once_index_one_fasta(tmp_path, name):
    letters = "ACGTTGCAGT" * 30_000
    text = "".join(
        f">chr{n}\n" + "\n".join(letters[at : at + 60] for at in range(0, 60_000, 60)) + "\n" for n in range(9)
    )
    path = tmp_path / name
    if name.endswith(".gz"):
        with bgzf.BgzfWriter(path) as file:
            file.write(text.encode())
    else:
        path.write_text(text)
    # Each says that it is ready and waits for the go, so that all start from a folder without an index.
    program = (
        "import sys; from pathlib import Path; from pgf_cli.genome import Genome, decode; print(flush=True); input()\n"
        "with Genome.open(Path(sys.argv[1])) as genome: print(len(genome.names), decode(genome.record('chr8')[-10:]))"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(path)]
    pipe = subprocess.PIPE
    workers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(4)]
    for worker in workers:
        worker.stdout.readline()
    for worker in workers:
        worker.stdin.write("\n")
        worker.stdin.flush()
    index, seen = path.with_name(f"{name}.fai"), set()
    while any(worker.poll() is None for worker in workers):
        if index.exists():
            seen.add(index.read_text())
    assert seen == {index.read_text()}, "an unfinished index could be seen"
    for worker in workers:
        out, err = worker.communicate(timeout=60)
        assert (worker.returncode, out, err) == (0, "9 ACGTTGCAGT\n", "")
    indexes = {f"{name}.fai", f"{name}.gzi"} if name.endswith(".gz") else {f"{name}.fai"}
    assert {file.name for file in tmp_path.iterdir()} == {name} | indexes


def test_the_block_index_is_what_htslib_defines(tmp_path):
    path = tmp_path / "genome.fa.gz"
    text = b">one\n" + b"ACGT" * 40_000 + b"\n"
    with bgzf.BgzfWriter(path) as file:
        file.write(text)
    Genome.open(path).close()
    written = path.with_name("genome.fa.gz.gzi").read_bytes()
    number, *places = struct.unpack(f"<{len(written) // 8}Q", written)
    assert (number, len(places)) == (2, 4)
    # Each place in the file must begin the compressed form of the text from the place beside it.
    for in_file, in_text in zip(places[::2], places[1::2], strict=True):
        assert gzip.decompress(path.read_bytes()[in_file:]) == text[in_text:]


def test_a_stale_bgzf_index_is_renewed(tmp_path):
    path = tmp_path / "genome.fa.gz"
    for letters in (b"ACGT" * 40_000, b"GGTTA" * 30_000):
        with bgzf.BgzfWriter(path) as file:
            file.write(b">one\n" + letters + b"\n")
        long_ago = time.time() - 86_400
        os.utime(path, (long_ago, long_ago))
        assert read(path, "one") == letters.decode()


@pytest.mark.parametrize(
    "content",
    [b"", b"rubbish", struct.pack("<3Q", 2, 70, 65_280), struct.pack("<5Q", 2, 9, 9, 8, 8), struct.pack("<Q", 2**63)],
    ids=["empty", "short", "wrong count", "out of order", "endless"],
)
def test_a_block_index_that_cannot_be_read_is_replaced(tmp_path, content):
    path = tmp_path / "genome.fa.gz"
    letters = b"ACGT" * 40_000
    with bgzf.BgzfWriter(path) as file:
        file.write(b">one\n" + letters + b"\n")
    Genome.open(path).close()
    index = path.with_name("genome.fa.gz.gzi")
    right = index.read_bytes()
    index.write_bytes(content)
    assert read(path, "one") == letters.decode()
    assert index.read_bytes() == right


def test_an_index_of_any_size_is_not_read_into_memory(write_fasta):
    path = write_fasta(TWO_RECORDS)
    index = path.with_name("genome.fa.fai")
    with index.open("wb") as file:
        file.truncate(1 << 42)
    assert read(path, "two") == "TTTT"
    assert index.read_text() == TWO_ROWS


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir])
def test_what_is_no_file_at_the_index_s_place_is_left_alone_or_replaced_without_waiting(write_fasta, make):
    path = write_fasta(TWO_RECORDS)
    make(path.with_name("genome.fa.fai"))
    assert read(path, "two") == "TTTT"


def test_a_whole_genome_is_read_once_where_its_folder_cannot_be_written(unwritable, monkeypatch):
    scans = []
    scan = index_module.scan
    monkeypatch.setattr(index_module, "scan", lambda *arguments: scans.append(arguments) or scan(*arguments))
    assert read(unwritable, "two") == "TTTT"
    assert len(scans) == 1


def index_survives_opening(path):
    if not (index := path.with_name(f"{path.name}.fai")).exists():
        return False
    before = index.stat()
    Genome.open(path).close()
    after = index.stat()
    return (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
