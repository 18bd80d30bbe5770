"""GFF3 annotation: where genes begin to be spliced and translated, each position on the gene's own strand."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, get_args
from urllib.parse import unquote

from pgf_cli.genome.errors import ContigNotFoundError, GenomeError
from pgf_cli.genome.lines import LineReader
from pgf_cli.genome.names import read_position, shortened
from pgf_cli.genome.regions import Region
from pgf_cli.printable import printable

GeneStrand = Literal["+", "-"]


class AnnotationError(GenomeError, ValueError):
    """A GFF3 file, or a line of it, cannot be read."""


@dataclass(frozen=True)
class Gene:
    """A protein-coding gene; positions are 0-based, in the record's own coordinates on either strand."""

    name: str
    span: Region
    """From the first to the last base that one of its coding transcripts has."""
    strand: GeneStrand
    donors: tuple[int, ...]
    """The 5'-most base of every intron, as the strand is read; sorted, each once."""
    starts: tuple[int, ...]
    """The 5'-most base of every start codon; sorted, each once."""


class Feature(NamedTuple):
    """A line of a GFF3 file."""

    where: str
    kind: str
    span: Region
    strand: str
    phase: str
    attributes: dict[str, list[str]]


@dataclass
class _Transcript:
    exons: list[Region] = field(default_factory=list)
    coding: list[tuple[Region, str]] = field(default_factory=list)
    """With the phase of each."""
    strand: GeneStrand = "+"


def read_genes(path: Path, lengths: Mapping[str, int]) -> list[Gene]:
    """Read the protein-coding genes of a GFF3 file, plain or gzipped.

    A gene is what the transcripts with a CDS have as their Parent. Introns lie between the exons of such a transcript;
    transcripts that share one count it once. A start codon is where the first CDS of a transcript begins, if its phase
    is 0: with another, the annotation lacks the start.

    Args:
        path: the GFF3 file; 1-based inclusive.
        lengths: bases per record.

    Returns:
        Genes in the order of the file's transcripts.

    Raises:
        AnnotationError: the file cannot be read, or a line cannot be; says the line.
        ContigNotFoundError: an exon or CDS is on a record that is not in ``lengths``.

    Source: the Sequence Ontology's GFF3 specification 1.26.
    """
    transcripts: dict[str, _Transcript] = {}
    gene_of: dict[str, str] = {}
    for feature in read_features(path):
        if feature.kind in ("exon", "CDS"):
            _check_place(feature, path, lengths)
            for parent in _parents(feature):
                _add(transcripts.setdefault(parent, _Transcript()), feature)
        else:
            for name in feature.attributes.get("ID", []):
                gene_of[name] = feature.attributes.get("Parent", [name])[0]
    by_gene: dict[tuple[str, str, GeneStrand], list[_Transcript]] = {}
    for name, transcript in transcripts.items():
        if transcript.coding:
            key = (gene_of.get(name, name), transcript.coding[0][0].contig, transcript.strand)
            by_gene.setdefault(key, []).append(transcript)
    return [_gene(*key, members) for key, members in by_gene.items()]


def read_features(path: Path) -> Iterator[Feature]:
    """Yield every feature of a GFF3 file, up to its FASTA section if it has one.

    Raises:
        AnnotationError: as for `read_genes`.
    """
    for number, line in LineReader(path, "a GFF3 file", AnnotationError):
        if line.startswith(("##FASTA", ">")):
            return
        if line.strip() and not line.startswith("#"):
            yield _feature(line, f"{path}, line {number:,}")


def _feature(line: str, where: str) -> Feature:
    columns = line.split("\t", 9)
    if len(columns) != 9:
        raise AnnotationError(f"{where}: {len(columns)} of 9 columns; GFF3 has nine, between tabs")
    contig, _, kind, first, last, _, strand, phase, text = columns
    if not ((first + last).isascii() and first.isdecimal() and last.isdecimal()):
        raise _no_interval(first, last, where)
    try:
        start, end = read_position(first), read_position(last)
    except ValueError as error:
        raise AnnotationError(f"{where}: {error}; write whole numbers from 1, start first") from error
    if not 1 <= start <= end:
        raise _no_interval(first, last, where)
    pairs = (attribute.strip().partition("=") for attribute in text.split(";"))
    attributes = {name: [unquote(value) for value in values.split(",")] for name, equals, values in pairs if equals}
    return Feature(where, kind, Region(unquote(contig), start - 1, end), strand, phase, attributes)


def _no_interval(first: str, last: str, where: str) -> AnnotationError:
    shown = f"{printable(shortened(first))} to {printable(shortened(last))}"
    return AnnotationError(f"{where}: {shown} is no interval; write whole numbers from 1, start first")


def _check_place(feature: Feature, path: Path, lengths: Mapping[str, int]) -> None:
    contig, _, end = feature.span
    if contig not in lengths:
        raise ContigNotFoundError(contig, lengths, f"the sequence annotated by {path}")
    if end > lengths[contig]:
        raise AnnotationError(
            f"{feature.where}: ends at {end:,}, past the {lengths[contig]:,} bases of {contig!r}; "
            "give the annotation of this very sequence"
        )
    if feature.strand not in get_args(GeneStrand):
        raise AnnotationError(f"{feature.where}: strand {feature.strand!r} of {feature.kind}; write + or -")
    if feature.kind == "CDS" and feature.phase not in ("0", "1", "2"):
        raise AnnotationError(f"{feature.where}: phase {feature.phase!r} of a CDS; write 0, 1 or 2")


def _parents(feature: Feature) -> list[str]:
    if "Parent" not in feature.attributes:
        raise AnnotationError(
            f"{feature.where}: {feature.kind} without a Parent, which names its transcript; convert GTF to GFF3 first"
        )
    return feature.attributes["Parent"]


def _add(transcript: _Transcript, feature: Feature) -> None:
    transcript.strand = "+" if feature.strand == "+" else "-"
    if feature.kind == "exon":
        transcript.exons.append(feature.span)
    else:
        transcript.coding.append((feature.span, feature.phase))


def _gene(name: str, contig: str, strand: GeneStrand, transcripts: list[_Transcript]) -> Gene:
    parts = [span for transcript in transcripts for span in (*transcript.exons, *(cds for cds, _ in transcript.coding))]
    return Gene(
        name,
        Region(contig, min(part.start for part in parts), max(part.end for part in parts)),
        strand,
        tuple(sorted({donor for transcript in transcripts for donor in _donors(transcript)})),
        tuple(sorted({start for transcript in transcripts for start in _starts(transcript)})),
    )


def _donors(transcript: _Transcript) -> Iterator[int]:
    for left, right in itertools.pairwise(sorted(transcript.exons)):
        if left.end < right.start:
            yield left.end if transcript.strand == "+" else right.start - 1


def _starts(transcript: _Transcript) -> Iterator[int]:
    if transcript.strand == "+":
        first, phase = min(transcript.coding)
        start = first.start
    else:
        first, phase = max(transcript.coding, key=lambda part: part[0].end)
        start = first.end - 1
    if phase == "0":
        yield start
