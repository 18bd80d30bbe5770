"""Genes of a GFF3 file, against positions worked out by hand on both strands, and against bioframe on the sample."""

import gzip
from pathlib import Path

import bioframe
import pytest

from pgf_cli.genome import (
    AnnotationError,
    ContigNotFoundError,
    Gene,
    Genome,
    Region,
    ReverseComplement,
    decode,
    read_genes,
)

SAMPLE = Path(__file__).parents[2] / "sample_data"
LENGTHS = {"chr1": 1000}

# Two transcripts of a forward gene share their first intron; the second has another one. A reverse gene has one
# transcript. Neither the lncRNA, which has no CDS, nor the gene with a truncated start counts for starts.
ANNOTATION = """\
##gff-version 3
# a comment
chr1 . gene 101 400 . + . ID=g1;Name=one
chr1 . mRNA 101 400 . + . ID=t1;Parent=g1
chr1 . exon 101 150 . + . Parent=t1
chr1 . exon 201 250 . + . Parent=t1
chr1 . exon 301 400 . + . Parent=t1
chr1 . CDS 301 330 . + 0 ID=c1;Parent=t1
chr1 . CDS 121 150 . + 0 ID=c1;Parent=t1
chr1 . CDS 201 250 . + 0 ID=c1;Parent=t1
chr1 . mRNA 101 260 . + . ID=t2;Parent=g1
chr1 . exon 101 150 . + . Parent=t2
chr1 . exon 201 230 . + . Parent=t2
chr1 . exon 241 260 . + . Parent=t2
chr1 . CDS 205 230 . + 0 ID=c2;Parent=t2
chr1 . gene 501 700 . - . ID=g%3B2
chr1 . mRNA 501 700 . - . ID=t3;Parent=g%3B2
chr1 . exon 601 700 . - . Parent=t3
chr1 . exon 501 560 . - . Parent=t3
chr1 . CDS 601 660 . - 0 ID=c3;Parent=t3
chr1 . CDS 541 560 . - 0 ID=c3;Parent=t3
chr1 . lnc_RNA 710 790 . + . ID=t4
chr1 . exon 710 730 . + . Parent=t4
chr1 . exon 750 790 . + . Parent=t4
chr1 . mRNA 801 900 . - . ID=t5
chr1 . CDS 801 900 . - 1 ID=c5;Parent=t5
##FASTA
>chr1
ACGT
""".replace(" ", "\t")

GENES = [
    Gene("g1", Region("chr1", 100, 400), "+", donors=(150, 230, 250), starts=(120, 204)),
    # Read from the right: the intron begins left of the exon 601-700, the start codon ends the CDS 601-660.
    Gene("g;2", Region("chr1", 500, 700), "-", donors=(599,), starts=(659,)),
    Gene("t5", Region("chr1", 800, 900), "-", donors=(), starts=()),
]


def test_donors_and_starts_of_both_strands_each_once(tmp_path):
    path = tmp_path / "genes.gff3"
    path.write_text(ANNOTATION)
    assert read_genes(path, LENGTHS) == GENES


def test_gzipped_annotation_is_read_whatever_its_name(tmp_path):
    path = tmp_path / "genes.gff"
    path.write_bytes(gzip.compress(ANNOTATION.encode()))
    assert read_genes(path, LENGTHS) == GENES


CDS = "chr1\t.\tCDS\t1\t9\t.\t+\t0\tParent=t"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("chr1 . CDS 1 9 . + 0 Parent=t", "line 2: 1 of 9 columns"),
        (CDS.replace("\t9\t", "\t1e3\t"), "line 2: 1 to 1e3 is no interval"),
        (CDS.replace("\t9\t", "\t0\t"), "line 2: 1 to 0 is no interval"),
        (CDS.replace("\t9\t", "\t" + "9" * 5000 + "\t"), "line 2: a number of 5,000 digits is no position"),
        (CDS.replace("\t9\t", "\t1001\t"), "line 2: ends at 1,001, past the 1,000 bases of 'chr1'"),
        (CDS.replace("+", "."), "line 2: strand '.' of CDS"),
        (CDS.replace("\t0\t", "\t.\t"), "line 2: phase '.' of a CDS"),
        (CDS.replace("Parent=t", 'transcript_id "t"'), "line 2: CDS without a Parent"),
    ],
)
def test_a_line_that_cannot_be_read_is_one_line_that_names_it(tmp_path, line, said):
    path = tmp_path / "bad.gff3"
    path.write_text(f"##gff-version 3\n{line}\n")
    with pytest.raises(AnnotationError, match=r"bad\.gff3, ") as caught:
        read_genes(path, LENGTHS)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_annotation_of_another_sequence_is_refused(tmp_path):
    path = tmp_path / "genes.gff3"
    path.write_text(CDS.replace("chr1", "1") + "\n")
    with pytest.raises(ContigNotFoundError, match="calls that chromosome 'chr1'"):
        read_genes(path, LENGTHS)


def test_damaged_missing_and_binary_files_are_refused(tmp_path):
    path = tmp_path / "genes.gff3.gz"
    with pytest.raises(AnnotationError, match="cannot be read"):
        read_genes(path, LENGTHS)
    path.write_bytes(gzip.compress(ANNOTATION.encode())[:-20])
    with pytest.raises(AnnotationError, match="damaged"):
        read_genes(path, LENGTHS)
    for content, said in ((b"\x7fELF\x00\x01\n", "not a text file"), (ANNOTATION.encode("utf-16"), "is UTF-16 text")):
        path.write_bytes(content)
        with pytest.raises(AnnotationError, match=said):
            read_genes(path, LENGTHS)


def test_the_sample_annotation_fits_its_sequence():
    """Nearly every intron begins with GT and every coding sequence with ATG, or coordinates or strands are off."""
    begins: dict[str, list[str]] = {"donor": [], "start": []}
    with Genome.open(SAMPLE / "arabidopsis_heldout.fa") as genome:
        record = genome.record("NC_003070.9_8000001_8400000")
        read = {"+": record, "-": ReverseComplement(record)}
        for gene in read_genes(SAMPLE / "arabidopsis_heldout.gff3.gz", genome.lengths):
            for kind, sites, width in (("donor", gene.donors, 2), ("start", gene.starts, 3)):
                for site in sites:
                    at = site if gene.strand == "+" else len(record) - 1 - site
                    begins[kind].append(decode(read[gene.strand][at : at + width]))
    assert begins["start"] == ["ATG"] * 147
    assert begins["donor"].count("GT") == 509
    assert len(begins["donor"]) == 517


def test_the_sample_has_the_genes_and_first_introns_that_bioframe_reads():
    path = SAMPLE / "arabidopsis_heldout.gff3.gz"
    table = bioframe.read_table(str(path), schema="gff", comment="#")
    parent = table["attributes"].str.extract(r"Parent=([^;]+)")[0]
    coding = set(parent[table["feature"] == "CDS"])
    transcripts = table[table["feature"] == "mRNA"]
    ids = transcripts["attributes"].str.extract(r"ID=([^;]+)")[0]
    wanted = transcripts[ids.isin(coding)]
    expected = {
        gene: (rows["start"].min() - 1, rows["end"].max()) for gene, rows in wanted.groupby(parent[wanted.index])
    }
    genes = read_genes(path, {"NC_003070.9_8000001_8400000": 400_000})
    assert {gene.name: (gene.span.start, gene.span.end) for gene in genes} == expected
    exons = table[(table["feature"] == "exon") & parent.isin(coding)]
    ends = exons[(exons["strand"] == "+")].groupby(parent[exons.index])["end"].nsmallest(1)
    several = exons.groupby(parent[exons.index])["end"].transform("size") > 1
    first = set(exons[several & (exons["strand"] == "+")].groupby(parent[exons.index])["end"].min())
    assert len(ends) > len(first) > 50
    assert first <= {donor for gene in genes if gene.strand == "+" for donor in gene.donors}
