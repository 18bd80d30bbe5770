"""Which token is which base, in a model folder: the user's word, a tokenizer's file, or config.json itself."""

from pathlib import Path
from typing import Any

from pgf_cli.checkpoints.alphabets import OPTION_EXAMPLE, Alphabet, alphabet_of_config, parse_alphabet
from pgf_cli.checkpoints.errors import AlphabetError
from pgf_cli.checkpoints.fields import Fields
from pgf_cli.checkpoints.tokenizers import read_tokenizer
from pgf_cli.inputs import Inputs


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
    raise AlphabetError(f"{folder}: {found}, so which token is which base is unknown; name them: {OPTION_EXAMPLE}.")
