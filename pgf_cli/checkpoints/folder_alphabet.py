"""Which token is which base, in a model folder: the user's word, a tokenizer's file, or config.json itself."""

from pathlib import Path
from typing import Any

from pgf_cli.checkpoints.alphabets import OPTION_EXAMPLE, Alphabet, alphabet_of_config, parse_alphabet
from pgf_cli.checkpoints.errors import AlphabetError
from pgf_cli.checkpoints.fields import Fields
from pgf_cli.checkpoints.refusals import several_bases
from pgf_cli.checkpoints.tokenizers import read_tokenizer
from pgf_cli.inputs import Inputs

MOST_LETTERS = 256
"""Tokens of a vocabulary of single letters at most: one for each byte."""


def folder_alphabet(folder: Path, settings: Fields, option: str | None, vocab: int, inputs: Inputs) -> Alphabet:
    """Find the tokens of the bases.

    Args:
        folder: where tokenizer files may be.
        settings: the folder's config.json.
        option: ``--alphabet``, which beats everything.
        vocab: rows of the model's embedding.
        inputs: where what is read is noted.

    Raises:
        AlphabetError: nothing says which token is which base, or what says so cannot be.
        UsageError: the option cannot be used.
    """
    if option is not None:
        return Alphabet(parse_alphabet(option, vocab), "--alphabet")
    tokenizer = read_tokenizer(folder, inputs)
    files = tokenizer.files if tokenizer else ()
    if tokenizer and (base_ids := tokenizer.base_ids(vocab)):
        return Alphabet(base_ids, files[0].name)
    value: Any = settings.values.get("alphabet")
    if value is not None:
        return Alphabet(alphabet_of_config(value, vocab, settings.where), "config")
    found = f"{files[0].name} has no tokens for bases" if files else "there is no tokenizer file"
    raise no_alphabet(folder, found, vocab)


def no_alphabet(where: object, found: str, vocab: int) -> AlphabetError:
    """Make the error for a model that does not say which token is which base.

    Args:
        where: the checkpoint.
        found: a clause: what was looked at.
        vocab: rows of the model's embedding; many more than letters are words or k-mers.
    """
    error = AlphabetError(f"{where}: {found}, so which token is which base is unknown; name them: {OPTION_EXAMPLE}.")
    if vocab > MOST_LETTERS:
        error = AlphabetError(
            f"{where}: {found}, and an embedding of {vocab:,} tokens is likely to be of k-mers or words, where a value "
            f"per base needs one token per base; if single bases have tokens of their own, name them: {OPTION_EXAMPLE}."
        )
        error.refused = several_bases(f"an embedding of {vocab:,} rows, and {found}")
    return error
