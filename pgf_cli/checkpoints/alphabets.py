"""Which token stands for which base: what the user says, or what a checkpoint's own settings say."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pgf_cli.checkpoints.errors import AlphabetError, shown
from pgf_cli.core.models.protocol import BaseIds
from pgf_cli.errors import PgfError, UsageError

OPTION_EXAMPLE = "--alphabet A=7,C=8,G=9,T=10,N=11"

_BASES = ("A", "C", "G", "T")
_LETTERS = (*_BASES, "N")
_PAIR = re.compile(r"\s*([A-Za-z])\s*=\s*(\d{1,9})\s*", re.ASCII)


class Alphabet(NamedTuple):
    """How a model takes the bases."""

    base_ids: BaseIds | None
    """None for a model that reads the one-hot itself."""
    source: str
    """Where that comes from, for people."""


def one_hot_alphabet(option: str | None, path: Path) -> Alphabet:
    """Return the fixed alphabet of a model without tokens.

    Raises:
        UsageError: the option ``--alphabet`` was given.
    """
    if option is not None:
        raise UsageError(f"--alphabet: the model in {path} reads the bases one-hot and has no tokens; leave it out.")
    return Alphabet(None, "the model's one-hot columns; N is the zero vector")


def known_alphabet(option: str | None, base_ids: BaseIds, vocab: int, source: str) -> Alphabet:
    """Return the alphabet of a program that always numbers its tokens in one way, unless ``--alphabet`` beats it.

    Args:
        option: ``--alphabet``.
        base_ids: the program's.
        vocab: rows of the model's embedding.
        source: where the program's tokens come from, for people.

    Raises:
        UsageError: the option cannot be used.
    """
    return Alphabet(base_ids, source) if option is None else Alphabet(parse_alphabet(option, vocab), "--alphabet")


def parse_alphabet(text: str, vocab: int) -> BaseIds:
    """Read the option ``--alphabet``.

    Args:
        text: pairs of letter and token id in any order, such as ``A=7,C=8,G=9,T=10,N=11``; N may be left out.
        vocab: rows of the model's embedding.

    Raises:
        UsageError: a pair cannot be read, a letter is unknown or given twice, a base is missing, two letters share a
            token, or a token is not in the vocabulary.
    """
    ids: dict[str, int] = {}
    for pair in text.split(","):
        match = _PAIR.fullmatch(pair)
        if match is None:
            raise UsageError(f"--alphabet: cannot read {pair.strip()!r}; write letter=id pairs: {OPTION_EXAMPLE}.")
        letter = match[1].upper()
        if letter in ids:
            raise UsageError(f"--alphabet gives {letter} twice; give each of A, C, G, T and N once.")
        ids[letter] = int(match[2])
    return _checked(ids, vocab, "--alphabet", UsageError)


def alphabet_of_config(value: object, vocab: int, where: str) -> BaseIds:
    """Read the ``alphabet`` of a settings file, such as ``{"A": 0, "C": 1, "G": 2, "T": 3, "N": 4}``; N is optional.

    Raises:
        AlphabetError: as ``parse_alphabet``, for a file.
    """
    where = f"{where}: alphabet"
    if not isinstance(value, Mapping):
        raise AlphabetError(f'{where} is {shown(value)}; it must be an object such as {{"A": 0, "C": 1, ...}}.')
    return _checked(value, vocab, where, AlphabetError)


def base_ids_of(ids: Mapping[str, object], vocab: int, where: str) -> BaseIds:
    """Check the token ids of A, C, G, T and perhaps N, found in a file ``where``; AlphabetError if they cannot be."""
    return _checked(ids, vocab, where, AlphabetError)


def _checked(ids: Mapping[str, object], vocab: int, where: str, failure: type[PgfError]) -> BaseIds:
    if unknown := [letter for letter in ids if letter not in _LETTERS]:
        raise failure(f"{where} names {shown(unknown[0])}; the letters are A, C, G, T and, optionally, N.")
    if missing := [base for base in _BASES if base not in ids]:
        raise failure(f"{where} has no token for {', '.join(missing)}; A, C, G and T all need one: {OPTION_EXAMPLE}.")
    letter_of: dict[int, str] = {}
    for letter, row in ids.items():
        if isinstance(row, bool) or not isinstance(row, int) or not 0 <= row < vocab:
            raise failure(f"{where} gives {letter} the token {shown(row)}; this model's tokens are 0 to {vocab - 1}.")
        if row in letter_of:
            raise failure(f"{where} gives {letter_of[row]} and {letter} the same token {row}; each needs its own.")
        letter_of[row] = letter
    row_of = {letter: row for row, letter in letter_of.items()}
    return BaseIds(row_of["A"], row_of["C"], row_of["G"], row_of["T"], row_of.get("N"))
