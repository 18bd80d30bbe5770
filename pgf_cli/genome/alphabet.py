"""Letters to base codes and back: one byte a base, one lookup table."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgf_cli.core.bases import LETTERS, N_CODE
from pgf_cli.genome.errors import LetterError

_REFUSED = 255
_IUPAC = b"RYSWKMBDHV"
_NUCLEOTIDES = np.frombuffer(b"ACGTUN", dtype=np.uint8)
_PROTEIN_ONLY = b"EFILPQZJOX*"


def _code_table() -> NDArray[np.uint8]:
    table = np.full(256, _REFUSED, dtype=np.uint8)
    for code, letters in enumerate((b"A", b"C", b"G", b"TU", b"N" + _IUPAC)):
        for spelling in (letters, letters.lower()):
            table[list(spelling)] = code
    return table


_CODES = _code_table()
_DECODED = np.frombuffer(LETTERS.encode(), dtype=np.uint8)


class BaseCounts(NamedTuple):
    """How many letters of each kind a stretch of sequence has; add two with `+`.

    `scored` (A, C, G, T, U), `n` (the letter N) and `iupac` (other ambiguity letters, read as N) sum to the
    length; `soft_masked` counts the lower-case letters among all of them.
    """

    scored: int = 0
    n: int = 0
    soft_masked: int = 0
    iupac: int = 0

    # Totals add up field by field; nobody concatenates counts as tuples.
    def __add__(self, other: tuple[int, ...]) -> "BaseCounts":  # type: ignore[override]
        return BaseCounts(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


def encode(raw: bytes, *, where: str = "sequence", start: int = 0) -> NDArray[np.uint8]:
    """Turn raw letters into base codes.

    Lower case (soft-mask) reads as upper case, U as T, the IUPAC ambiguity letters (RYSWKMBDHV) as N.

    Args:
        raw: letters, (L,) bytes, without line ends.
        where: the file and record they come from, for the error.
        start: 0-based position of the first letter there, for the error.

    Returns:
        Codes A=0, C=1, G=2, T=3, N=4, (L,).

    Raises:
        LetterError: any other letter; says its 1-based position, and whether this looks like a protein.

    Source: IUPAC-IUB nomenclature for incompletely specified bases (Cornish-Bowden 1985).
    """
    codes: NDArray[np.uint8] = _CODES[np.frombuffer(raw, dtype=np.uint8)]
    if codes.size and codes.max() == _REFUSED:
        at = int(codes.argmax())
        complaint = _explain(raw, raw[at : at + 1])
        shown = f"letter {chr(raw[at])!r}" if raw[at] < 0x80 else f"byte 0x{raw[at]:02x}"
        raise LetterError(f"{where}, position {start + at + 1:,}: {shown} {complaint}")
    return codes


def decode(codes: NDArray[np.uint8]) -> str:
    """Turn base codes (L,) back into letters of ACGTN."""
    return _DECODED[codes].tobytes().decode("ascii")


def count(raw: bytes, *, where: str = "sequence", start: int = 0) -> BaseCounts:
    """Count the letters of `raw` by kind; arguments and errors as for `encode`."""
    return count_encoded(raw, encode(raw, where=where, start=start))


def count_encoded(raw: bytes, codes: NDArray[np.uint8]) -> BaseCounts:
    """Count letters (L,) whose base codes (L,) are known already by kind."""
    letters = np.frombuffer(raw, dtype=np.uint8)
    read_as_n = int(np.count_nonzero(codes == N_CODE))
    n = raw.count(b"N") + raw.count(b"n")
    soft_masked = int(np.count_nonzero(letters >= ord("a")))
    return BaseCounts(scored=len(raw) - read_as_n, n=n, soft_masked=soft_masked, iupac=read_as_n - n)


def _explain(raw: bytes, letter: bytes) -> str:
    if letter in b"-.":
        return "is an alignment gap; remove gaps first (seqkit seq -g) or write N"
    if letter.isspace():
        return "is a blank in the sequence; remove blanks: sed '/^>/!s/[[:blank:]]//g' FASTA > clean.fa"
    if letter.upper() in _PROTEIN_ONLY and _mostly_amino_acids(raw):
        return "is an amino acid: this looks like a protein FASTA; give the DNA or RNA sequence"
    return "is not a nucleotide; write unknown bases as N"


def _mostly_amino_acids(raw: bytes) -> bool:
    """Tell a protein from DNA with a stray letter: A, C, G, T and N make a quarter of proteins, nearly all of DNA."""
    nucleotides = np.isin(np.frombuffer(raw.upper(), dtype=np.uint8), _NUCLEOTIDES)
    return bool(nucleotides.mean() < 0.5)
