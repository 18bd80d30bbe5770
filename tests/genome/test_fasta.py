"""Against Biopython's reader of the same file."""

import gzip
import hashlib
import io
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from Bio import SeqIO, bgzf

from pgf_cli.genome import N_CODE, BaseCounts, ContigNotFoundError, Genome, LetterError, decode, fasta, select

LETTERS = np.frombuffer(b"ACGTNacgtnUuRYk", dtype=np.uint8)


def random_fasta(*, width, lengths=(997, 60, 1, 600), line_end="\n", seed=3):
    rng = np.random.default_rng(seed)
    lines = []
    for number, length in enumerate(lengths, 1):
        letters = rng.choice(LETTERS, length).tobytes().decode()
        lines.append(f">chr{number} a description of {number}")
        lines += [letters[at : at + width] for at in range(0, length, width)]
    return line_end.join(lines) + line_end


def biopython(text):
    return {record.id: str(record.seq) for record in SeqIO.parse(io.StringIO(text, newline=None), "fasta")}


@pytest.mark.parametrize("width", [1, 7, 60, 1000])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_every_record_reads_as_biopython_reads_it(write_fasta, width, line_end):
    text = random_fasta(width=width, line_end=line_end)
    expected = biopython(text)
    with Genome.open(write_fasta(text)) as genome:
        assert genome.names == tuple(expected)
        assert list(genome.lengths.items()) == [(name, len(letters)) for name, letters in expected.items()]
        for name, letters in expected.items():
            record = genome.record(name)
            assert (record.name, len(record)) == (name, len(letters))
            assert record.text(0, len(record)).decode() == letters


def test_a_file_without_a_last_line_end_reads_whole(write_fasta):
    with Genome.open(write_fasta(">a\nACGT\nAC\n>b\nGGGG\nTT")) as genome:
        assert decode(genome.record("b")[:]) == "GGGGTT"


@pytest.mark.parametrize(
    "span", [(0, 7), (6, 8), (59, 61), (60, 60), (500, 400), (-10, None), (990, 5000), (2000, 3000)]
)
def test_slices_clamp_as_those_of_a_string_do(write_fasta, span):
    text = random_fasta(width=60)
    letters = biopython(text)["chr1"]
    with Genome.open(write_fasta(text)) as genome:
        record = genome.record("chr1")
        expected = letters[slice(*span)]
        assert record[slice(*span)].size == len(expected)
        assert record.text(span[0], len(letters) if span[1] is None else span[1]).decode() == expected


def test_tiles_put_together_are_the_whole_record(write_fasta):
    with Genome.open(write_fasta(random_fasta(width=60))) as genome:
        record = genome.record("chr1")
        tiles = [record[at : at + 64] for at in range(0, len(record), 64)]
        np.testing.assert_array_equal(np.concatenate(tiles), record[:])


def test_a_slice_with_a_step_is_refused_rather_than_misread(write_fasta):
    with Genome.open(write_fasta(">a\nACGT\n")) as genome, pytest.raises(ValueError, match="steps of 2"):
        genome.record("a")[::2]


def test_a_single_base_record_and_an_empty_one_are_records(write_fasta):
    with Genome.open(write_fasta(">a\n>b\nG\n>c\n\n>d\nAC\n>e\n")) as genome:
        assert genome.lengths == {"a": 0, "b": 1, "c": 0, "d": 2, "e": 0}
        assert genome.record("a")[:].size == 0
        assert decode(genome.record("d")[:]) == "AC"


@pytest.mark.parametrize("name", ["genome.fa.gz", "genome.fa.bgz"])
def test_bgzf_reads_as_biopython_reads_it_also_where_blocks_meet(tmp_path, name):
    text = random_fasta(width=70, lengths=(150_000, 10, 90_000))
    path = tmp_path / name
    with bgzf.BgzfWriter(path) as file:
        file.write(text.encode())
    expected = biopython(gzip.decompress(path.read_bytes()).decode())
    with Genome.open(path) as genome:
        assert genome.names == tuple(expected)
        for name_, letters in expected.items():
            record = genome.record(name_)
            assert record.text(0, len(record)).decode() == letters
        # A block holds 65,536 bytes of text: here every base is once the first that is read.
        first = genome.record("chr1")
        assert (
            b"".join(first.text(at, at + 1) for at in range(64_000, 65_000)).decode() == expected["chr1"][64_000:65_000]
        )


@pytest.mark.parametrize("chunk", [1, 64, 1 << 20])
def test_counts_do_not_depend_on_the_chunks_they_are_read_in(write_fasta, monkeypatch, chunk):
    monkeypatch.setattr(fasta, "_CHUNK", chunk)
    text = random_fasta(width=60)
    letters = biopython(text)["chr1"][100:900]
    upper = letters.upper()
    expected = BaseCounts(
        scored=sum(map(upper.count, "ACGTU")),
        n=upper.count("N"),
        soft_masked=sum(map(str.islower, letters)),
        iupac=sum(map(upper.count, "RYK")),
    )
    with Genome.open(write_fasta(text)) as genome:
        record = genome.record("chr1")
        assert record.counts(100, 900) == expected
        assert int(np.count_nonzero(record[100:900] == N_CODE)) == expected.n + expected.iupac


def test_counting_never_holds_more_than_a_chunk(write_fasta, monkeypatch):
    monkeypatch.setattr(fasta, "_CHUNK", 100)
    asked = []
    with Genome.open(write_fasta(random_fasta(width=60))) as genome:
        record = genome.record("chr1")
        read = record.text
        monkeypatch.setattr(record, "text", lambda start, end: asked.append(end - start) or read(start, end))
        record.counts(0, len(record))
    assert max(asked) == 100
    assert sum(asked) == 997


def test_a_refused_letter_is_placed_in_its_record(write_fasta, monkeypatch):
    monkeypatch.setattr(fasta, "_CHUNK", 4)
    with Genome.open(write_fasta(">a\nAC\n>b\nACGTA\nCGJTA\n")) as genome:
        record = genome.record("b")
        for read in (lambda: record[6:9], lambda: record.counts(0, 10)):
            with pytest.raises(LetterError, match=r"genome\.fa, record 'b', position 8: letter 'J'"):
                read()


def test_an_unknown_record_gets_the_nearest_names(write_fasta):
    with Genome.open(write_fasta(">chrIV\nA\n>chrV\nC\n>plasmid\nG\n")) as genome:
        with pytest.raises(
            ContigNotFoundError, match=r"genome\.fa has no record 'chrVI'; nearest names: chrV, chrIV"
        ) as error:
            genome.record("chrVI")
        assert isinstance(error.value, KeyError)


@pytest.mark.parametrize(
    ("asked", "there"), [("chr1", "1"), ("1", "chr1"), ("Chr1", "chr1"), ("chrM", "MT"), ("MT", "chrM")]
)
def test_the_other_spelling_of_a_chromosome_is_recognised(asked, there):
    error = ContigNotFoundError(asked, ["chr10", "10", there, "chr11"])
    assert str(error) == (
        f"the FASTA has no record '{asked}'; it calls that chromosome '{there}', and names must match exactly"
    )


def test_a_fasta_cut_short_while_in_use_is_noticed(write_fasta):
    path = write_fasta(random_fasta(width=60))
    with Genome.open(path) as genome:
        path.write_bytes(path.read_bytes()[:500])
        with pytest.raises(ValueError, match=r"record 'chr1': genome\.fa was cut short while in use"):
            genome.record("chr1")[400:900]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_byte_order_mark_is_skipped(write_fasta, line_end):
    path = write_fasta(b"\xef\xbb\xbf" + random_fasta(width=60, line_end=line_end).encode())
    expected = biopython(random_fasta(width=60))
    for _ in range(2):  # by the index that is built, and by the one that is there
        with Genome.open(path) as genome:
            assert genome.names == tuple(expected)
            assert genome.record("chr1").text(0, 997).decode() == expected["chr1"]


def test_a_path_that_is_not_utf_8_is_read(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.fa"))
    path.write_text(">a\nACGT\n")
    with Genome.open(path) as genome:
        assert decode(genome["a"].codes) == "ACGT"
    assert Path(f"{path}.fai").read_text() == "a\t4\t3\t4\t5\n"


def test_a_file_that_changes_while_it_is_open_is_noticed(write_fasta):
    path = write_fasta(">a\nACGT\n")
    with Genome.open(path) as genome:
        assert not genome.changed()
        write_fasta(">a\nACGT\n", "other.fa").replace(path)
        assert genome.changed()
        assert decode(genome["a"].codes) == "ACGT"
        path.unlink()
        assert genome.changed()


def test_a_file_that_is_written_to_in_place_is_noticed(write_fasta):
    path = write_fasta(">a\nACGT\n")
    with Genome.open(path) as genome:
        with path.open("r+b") as file:
            file.seek(3)
            file.write(b"T")
        os.utime(path, ns=(0, genome.identity.st_mtime_ns + 1))
        assert genome.changed()


def test_twenty_thousand_records_are_indexed_opened_and_selected_in_time_and_memory(write_fasta):
    records = 20_000
    path = write_fasta("".join(f">NW_{number:09d}.1\n{'ACGTT' * 20}\n" for number in range(records)))
    Genome.open(path).close()
    tracemalloc.start()
    try:
        with Genome.open(path) as genome:
            selection = select(genome.lengths)
            passes = selection.by_reading
            held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(passes) == records
    assert held / records < 3000


@pytest.mark.parametrize("chunk", [7, 64, 1 << 20])
def test_a_survey_s_hash_is_of_the_bases_alone_and_of_all_of_them(write_fasta, monkeypatch, chunk):
    monkeypatch.setattr(fasta, "_CHUNK", chunk)
    codes = np.random.default_rng(3).integers(0, 4, 1077, dtype=np.uint8)
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)[codes].tobytes()
    expected = hashlib.sha256(codes[5:-5].tobytes()).hexdigest()
    lines = b"\r\n".join(letters[at : at + 60] for at in range(0, len(letters), 60))
    for number, text in enumerate((letters, letters.lower(), letters.replace(b"T", b"U"), lines)):
        with Genome.open(write_fasta(b">a\n" + text + b"\n", f"{number}.fa")) as genome:
            assert genome.record("a").survey(5, len(codes) - 5).sha256 == expected
    for position in (5, len(codes) - 6):
        changed = bytearray(letters)
        changed[position] = ord("A") if letters[position] != ord("A") else ord("C")
        with Genome.open(write_fasta(b">a\n" + bytes(changed) + b"\n", f"changed{position}.fa")) as genome:
            assert genome.record("a").survey(5, len(codes) - 5).sha256 != expected
    with Genome.open(write_fasta(">a\nACGT\n")) as genome:
        assert genome.record("a").survey(3, 1) == (BaseCounts(), hashlib.sha256(b"").hexdigest())
